import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useAccessFindings, useAccessPolicies, useDeleteAccessPolicy, usePutAccessPolicy } from '../../api/callers';
import type { AccessPolicy } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer, Failure } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { ExclamationTriangleIcon, InfoCircleIcon } from '../../parts/icons';
import { accessPolicyPath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { policyOf } from '../../text/statement';

/** The documents that say who may do what. */
export function AccessPolicies() {
  const policies = useAccessPolicies();
  const navigate = useNavigate();
  const may = useMay('admin');
  const change = usePutAccessPolicy();
  const [leaving, setLeaving] = useState<AccessPolicy>();
  return (
    <div className="rd-stack">
      {may && <div><Button onClick={() => void navigate('/callers/policies/+')}>New access policy</Button></div>}
      <Findings />
      {change.error != null && <Failure error={change.error} act="Switch the policy" />}
      <Answer of={{ ...policies, data: policies.items }} act="List access policies">
        {(items) => items.length === 0 ? <p>There is no access policy: nobody may do anything. Write one that permits what callers need.</p> : (
          <>
            <Table aria-label="Access policies" variant="compact" gridBreakPoint="grid-lg">
              <Thead><Tr><Th>Policy</Th><Th>Statements</Th><Th>State</Th><Th>Last change</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
              <Tbody>
                {items.map((p) => (
                  <Tr key={p.id}>
                    <Td dataLabel="Policy" modifier="breakWord"><Link to={accessPolicyPath(p.id)}>{escapeText(p.id)}</Link><div className="rd-sub">{escapeText(p.description ?? '')}</div></Td>
                    <Td dataLabel="Statements">{plural(p.statements, 'statement')}</Td>
                    <Td dataLabel="State">{p.disabled ? <Label isCompact>disabled</Label> : <Label isCompact color="green">in force</Label>}</Td>
                    <Td dataLabel="Last change"><Time at={p.updated} /> <span className="rd-sub">{p.by && `by ${escapeText(p.by)}, `}revision {p.revision}</span></Td>
                    {may && (
                      <Td>
                        <span className="rd-actions">
                          <Button variant="link" isInline isDisabled={change.isPending} onClick={() => change.mutate(switched(p))} aria-label={`${p.disabled ? 'Enable' : 'Disable'} ${p.id}`}>{p.disabled ? 'Enable' : 'Disable'}</Button>
                          <Button variant="link" isInline isDanger onClick={() => setLeaving(p)} aria-label={`Delete ${p.id}`}>Delete…</Button>
                        </span>
                      </Td>
                    )}
                  </Tr>
                ))}
              </Tbody>
            </Table>
            <More of={policies} />
          </>
        )}
      </Answer>
      {leaving && <DeleteAccessPolicy name={leaving.id} close={() => setLeaving(undefined)} />}
    </div>
  );
}

const switched = (p: AccessPolicy) => ({ name: p.id, cedar: p.cedar, ...(p.description && { description: p.description }), disabled: !p.disabled, revision: p.revision });

export function DeleteAccessPolicy({ name, close, done }: { name: string; close: () => void; done?: () => void }) {
  return (
    <Ask title={`Delete ${name}`} yes="Delete" danger change={useDeleteAccessPolicy()} arg={() => name} close={close} {...(done && { done })}>
      <p>From now on its statements neither permit nor forbid anything. If it forbids something that another policy permits, that becomes possible. Its history stays under this name.</p>
    </Ask>
  );
}

function Findings() {
  const findings = useAccessFindings();
  const items = list(findings.data?.items).toSorted((a, b) => Number(b.severe ?? false) - Number(a.severe ?? false));
  if (items.length === 0) return null;
  return (
    <Panel title={`${plural(items.length, 'thing')} to look at`}>
      <ul className="rd-signs">
        {items.map((f) => (
          <li key={`${f.policy} ${f.check}`}>
            {f.severe ? <ExclamationTriangleIcon className="rd-warn" /> : <InfoCircleIcon className="rd-no" />}
            <span><Link to={accessPolicyPath(policyOf(f.policy))}><code className="rd-raw">{escapeText(f.policy)}</code></Link>: {escapeText(f.message)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
