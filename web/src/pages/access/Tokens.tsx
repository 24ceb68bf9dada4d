import { Button, ClipboardCopy, Form, FormGroup, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useDeleteToken, useMakeToken, useSession, useTokens } from '../../api/hooks';
import type { Role, Token } from '../../api/types';
import { Answer, Failure } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { useMay } from '../../parts/may';
import { Time } from '../../parts/Time';
import { Field } from '../../parts/Field';
import { RoleField } from './RoleField';

export function Tokens() {
  const tokens = useTokens();
  const may = useMay('operator');
  const remove = useDeleteToken();
  const [making, setMaking] = useState(false);
  const [leaving, setLeaving] = useState<Token>();
  return (
    <div className="rd-stack">
      <p>For scripts and the command line: <code className="rd-raw">REDOUBT_TOKEN</code>. Only a hash of each is kept.</p>
      {may && <div><Button onClick={() => setMaking(true)}>Make a token</Button></div>}
      <Answer of={{ ...tokens, data: tokens.items }} act="List tokens">
        {(items) => items.length === 0 ? <p>There is no token.</p> : (
          <Table aria-label="API tokens" variant="compact" gridBreakPoint="grid-md">
            <Thead><Tr><Th>Name</Th><Th>User</Th><Th>Role</Th><Th>Last used</Th><Th>Expires</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
            <Tbody>
              {items.map((t) => (
                <Tr key={t.id}>
                  <Td dataLabel="Name">{t.name}</Td>
                  <Td dataLabel="User">{t.user}</Td>
                  <Td dataLabel="Role">{t.role}</Td>
                  <Td dataLabel="Last used"><Time at={t.last} never="never" /></Td>
                  <Td dataLabel="Expires"><Time at={t.expires} never="never" /></Td>
                  {may && <Td><Button variant="link" isInline isDanger onClick={() => setLeaving(t)} aria-label={`Revoke ${t.name}`}>Revoke</Button></Td>}
                </Tr>
              ))}
            </Tbody>
          </Table>
        )}
      </Answer>
      {making && <MakeToken close={() => setMaking(false)} />}
      {leaving && (
        <Ask title={`Revoke ${leaving.name}`} yes="Revoke" danger change={remove} arg={() => leaving.id} close={() => setLeaving(undefined)}>
          <p>Whatever uses this token is refused from now on.</p>
        </Ask>
      )}
    </div>
  );
}

function MakeToken({ close }: { close: () => void }) {
  const make = useMakeToken();
  const session = useSession();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('auditor');
  const [days, setDays] = useState('90');
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby="make-token">
      <ModalHeader title="Make a token" labelId="make-token" />
      <ModalBody>
        {make.data ? (
          <div className="rd-stack">
            <p>This is shown once. Copy it now.</p>
            <ClipboardCopy isReadOnly isCode hoverTip="Copy" clickTip="Copied" textAriaLabel="The new token">{make.data.secret}</ClipboardCopy>
          </div>
        ) : (
          <Form onSubmit={(e) => e.preventDefault()}>
            <Field id="token-name" label="Name" value={name} set={setName} help="What uses it, for example ci" complete="off" />
            <RoleField value={role} set={setRole} most={(session.data?.role ?? 'auditor') as Role} />
            <FormGroup label="Lives for" fieldId="token-days">
              <FormSelect id="token-days" value={days} onChange={(_, v) => setDays(v)}>
                {['1', '7', '30', '90', '365'].map((d) => <FormSelectOption key={d} value={d} label={d === '1' ? '1 day' : `${d} days`} />)}
              </FormSelect>
            </FormGroup>
          </Form>
        )}
        {make.error != null && <Failure error={make.error} act="Make a token" />}
      </ModalBody>
      <ModalFooter>
        {!make.data && <Button isDisabled={!name || make.isPending} isLoading={make.isPending} onClick={() => make.mutate({ name, role, days: Number(days) })}>Make it</Button>}
        <Button variant="link" onClick={close}>{make.data ? 'Done' : 'Cancel'}</Button>
      </ModalFooter>
    </Modal>
  );
}
