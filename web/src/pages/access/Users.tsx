import { Button, Form, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useDeleteUser, useSaveUser, useSession, useUsers } from '../../api/hooks';
import type { Role, User } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { LockIcon } from '../../parts/icons';
import { useMay } from '../../parts/may';
import { Time } from '../../parts/Time';
import { parseTime } from '../../text/time';
import { Field } from '../../parts/Field';
import { RoleField } from './RoleField';

export function Users() {
  const users = useUsers();
  const session = useSession();
  const may = useMay('admin');
  const remove = useDeleteUser();
  const [editing, setEditing] = useState<User | 'new'>();
  const [leaving, setLeaving] = useState<User>();
  return (
    <div className="rd-stack">
      {may && <div><Button onClick={() => setEditing('new')}>Add a user</Button></div>}
      <Answer of={{ ...users, data: users.items }} act="List users">
        {(items) => (
          <Table aria-label="Users" variant="compact" gridBreakPoint="grid-md">
            <Thead><Tr><Th>Name</Th><Th>Role</Th><Th>Last login</Th><Th>Made</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
            <Tbody>
              {items.map((u) => (
                <Tr key={u.name}>
                  <Td dataLabel="Name">{u.name} {u.name === session.data?.user && <span className="rd-sub">(you)</span>} {locked(u) && <Label isCompact color="orange" icon={<LockIcon />}>locked until <Time at={u.locked} /></Label>}</Td>
                  <Td dataLabel="Role">{u.role}</Td>
                  <Td dataLabel="Last login"><Time at={u.last} never="never" /></Td>
                  <Td dataLabel="Made"><Time at={u.created} /></Td>
                  {may && (
                    <Td>
                      <Button variant="link" isInline onClick={() => setEditing(u)} aria-label={`Change ${u.name}`}>Change</Button>{' '}
                      {u.name !== session.data?.user && <Button variant="link" isInline isDanger onClick={() => setLeaving(u)} aria-label={`Delete ${u.name}`}>Delete</Button>}
                    </Td>
                  )}
                </Tr>
              ))}
            </Tbody>
          </Table>
        )}
      </Answer>
      {editing && <UserDialog of={editing} close={() => setEditing(undefined)} />}
      {leaving && (
        <Ask title={`Delete ${leaving.name}`} yes="Delete" danger change={remove} arg={() => leaving.name} close={() => setLeaving(undefined)}>
          <p>The account’s sessions and API tokens end at once; scripts that use its tokens stop working. What it did stays in the audit trail.</p>
        </Ask>
      )}
    </div>
  );
}

const locked = (u: User) => (parseTime(u.locked) ?? 0) > Date.now();

function UserDialog({ of, close }: { of: User | 'new'; close: () => void }) {
  const old = of === 'new' ? undefined : of;
  const save = useSaveUser();
  const [name, setName] = useState(old?.name ?? '');
  const [role, setRole] = useState<Role>((old?.role as Role | undefined) ?? 'auditor');
  const [password, setPassword] = useState('');
  const short = password !== '' && password.length < 12;
  return (
    <Ask
      title={old ? `Change ${old.name}` : 'Add a user'}
      yes="Save"
      change={save}
      ready={name !== '' && !short && (!!old || password !== '')}
      arg={() => ({ name, role, ...(password && { password }) })}
      close={close}
    >
      <Form onSubmit={(e) => e.preventDefault()}>
        {!old && <Field id="user-name" label="Name" value={name} set={setName} complete="off" />}
        <RoleField value={role} set={setRole} />
        <Field id="user-password" label={old ? 'New password (empty keeps the old one)' : 'Password'} value={password} set={setPassword} type="password" complete="new-password" wrong={short && 'At least 12 characters'} />
      </Form>
    </Ask>
  );
}
