import { Button, Label, PageSection } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { usePolicies } from '../../api/hooks';
import { list } from '../../api/types';
import type { PolicyDocument } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Head } from '../../parts/Head';
import { policyPath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { DeletePolicy, SwitchPolicy } from './changes';
import { scopeText } from './scope';

export default function Policies() {
  const policies = usePolicies();
  const navigate = useNavigate();
  const may = useMay('operator');
  const make = may && <Button onClick={() => void navigate('/policies/+')}>New policy</Button>;
  return (
    <>
      <Head title="Policies" actions={make}>
        Rules that people write. They are asked in this order, before the profile; the first that matches decides.
      </Head>
      <PageSection isFilled>
        <Answer of={{ ...policies, data: policies.items }} act="List policies">
          {(items) => items.length === 0 ? (
            <Nothing what="policies" actions={make}>None is needed to be alerted: profiles are learned. Write one to ignore, prevent or stop something for certain.</Nothing>
          ) : (
            <>
              <Rows items={items} />
              <More of={policies} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

function Rows({ items }: { items: PolicyDocument[] }) {
  const [asked, setAsked] = useState<{ what: 'switch' | 'delete'; of: PolicyDocument }>();
  const may = useMay('operator');
  return (
    <>
      <Table aria-label="Policies" variant="compact" gridBreakPoint="grid-lg">
        <Thead>
          <Tr><Th>Policy</Th><Th>Applies to</Th><Th>Rules</Th><Th>Priority</Th><Th>State</Th><Th>Last change</Th>{may && <Th screenReaderText="Actions" />}</Tr>
        </Thead>
        <Tbody>
          {items.map((d) => (
            <Tr key={d.id}>
              <Td dataLabel="Policy" modifier="breakWord"><Link to={policyPath(d.id)}>{escapeText(d.id)}</Link><div className="rd-sub">{escapeText(d.policy.description ?? '')}</div></Td>
              <Td dataLabel="Applies to" modifier="breakWord">{scopeText(d.policy.scope)}</Td>
              <Td dataLabel="Rules">{list(d.policy.rules).map((r) => `${r.name}: ${r.effect}`).slice(0, 3).map((t) => <div key={t}>{escapeText(t)}</div>)}{list(d.policy.rules).length > 3 && <div className="rd-sub">and {list(d.policy.rules).length - 3} more</div>}</Td>
              <Td dataLabel="Priority">{d.policy.priority}</Td>
              <Td dataLabel="State">{d.policy.disabled ? <Label isCompact>disabled</Label> : <Label isCompact color="green">in force</Label>}</Td>
              <Td dataLabel="Last change"><Time at={d.time} /> <span className="rd-sub">by {d.author}, revision {d.revision}</span></Td>
              {may && (
                <Td>
                  <Button variant="link" isInline onClick={() => setAsked({ what: 'switch', of: d })} aria-label={`${d.policy.disabled ? 'Enable' : 'Disable'} ${d.id}`}>{d.policy.disabled ? 'Enable' : 'Disable'}</Button>{' '}
                  <Button variant="link" isInline isDanger onClick={() => setAsked({ what: 'delete', of: d })} aria-label={`Delete ${d.id}`}>Delete</Button>
                </Td>
              )}
            </Tr>
          ))}
        </Tbody>
      </Table>
      {asked?.what === 'switch' && <SwitchPolicy of={asked.of} close={() => setAsked(undefined)} />}
      {asked?.what === 'delete' && <DeletePolicy name={asked.of.id} close={() => setAsked(undefined)} />}
    </>
  );
}
