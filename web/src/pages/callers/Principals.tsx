import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link } from 'react-router';
import { usePrincipals } from '../../api/callers';
import type { Principal } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { BanIcon } from '../../parts/icons';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { PrincipalDialog, PrincipalMenu } from './PrincipalDialogs';

/** Who calls: people, roles, functions, services and bare keys. */
export function Principals() {
  const principals = usePrincipals();
  const may = useMay('admin');
  const [making, setMaking] = useState(false);
  return (
    <div className="rd-stack">
      {may && <div><Button onClick={() => setMaking(true)}>Add a principal</Button></div>}
      <Answer of={{ ...principals, data: principals.items }} act="List principals">
        {(items) => items.length === 0 ? <p>There is no principal yet: nobody but anonymous callers can ask, and they may do only what a policy permits everybody.</p> : (
          <>
            <Table aria-label="Principals" variant="compact" gridBreakPoint="grid-lg">
              <Thead><Tr><Th>Principal</Th><Th>Groups</Th><Th>Tenant</Th><Th>Comes in by</Th><Th>Keys</Th><Th>Last key use</Th><Th>Changed</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
              <Tbody>{items.map((p) => <Row key={p.id} of={p} may={may} />)}</Tbody>
            </Table>
            <More of={principals} />
          </>
        )}
      </Answer>
      {making && <PrincipalDialog close={() => setMaking(false)} />}
    </div>
  );
}

function Row({ of: p, may }: { of: Principal; may: boolean }) {
  return (
    <Tr>
      <Td dataLabel="Principal" modifier="breakWord">
        <code className="rd-raw">{escapeText(p.id)}</code>{' '}
        {p.disabled && <Label isCompact color="orange" icon={<BanIcon />}>locked out</Label>}
        {p.reason && <div className="rd-sub">{escapeText(p.reason)}</div>}
      </Td>
      <Td dataLabel="Groups" modifier="breakWord">{list(p.groups).map(escapeText).join(', ') || '–'}</Td>
      <Td dataLabel="Tenant">{escapeText(p.tenant ?? '') || '–'}</Td>
      <Td dataLabel="Comes in by" modifier="breakWord">{[...list(p.sources).map(escapeText), p.keys > 0 && 'key'].filter(Boolean).join(', ') || 'nothing yet'}</Td>
      <Td dataLabel="Keys">{p.keys > 0 ? <Link to={`/callers?tab=keys&principal=${encodeURIComponent(p.id)}`}>{count(p.keys)}</Link> : '0'}</Td>
      <Td dataLabel="Last key use"><Time at={p.last} never="never" /></Td>
      <Td dataLabel="Changed"><Time at={p.updated} />{p.by && <span className="rd-sub"> by {escapeText(p.by)}</span>}</Td>
      {may && <Td isActionCell><PrincipalMenu of={p} /></Td>}
    </Tr>
  );
}
