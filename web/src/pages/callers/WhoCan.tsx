import { Button, Form } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link } from 'react-router';
import { useWhatCan, useWhoCan } from '../../api/callers';
import type { WhoAsk } from '../../api/callers';
import type { AccessList } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { useFilters } from '../../parts/filters';
import { accessPolicyPath } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { policyOf } from '../../text/statement';
import { ActionField, PrincipalField, ResourceField } from './known';

/** Both ways round: who can do this, and what can they do. */
export function WhoCan() {
  return <div className="rd-two"><Who /><What /></div>;
}

function Who() {
  const [action, setAction] = useState('function:Invoke');
  const [resource, setResource] = useState('');
  const [asked, setAsked] = useState<WhoAsk>();
  const answer = useWhoCan(asked);
  const ready = action.trim() !== '' && resource.trim() !== '';
  return (
    <Panel title="Who can do this?">
      <div className="rd-stack">
        <Form onSubmit={(e) => { e.preventDefault(); if (ready) setAsked({ action: action.trim(), resource: resource.trim() }); }}>
          <ActionField id="who-action" label="Action" value={action} set={setAction} />
          <ResourceField id="who-resource" label="Resource" value={resource} set={setResource} help="orders alone is a function" />
          <div><Button type="submit" isDisabled={!ready}>List them</Button></div>
        </Form>
        {asked && (
          <Answer of={answer} act="Ask the policies">
            {(a) => <List of={a} heads={['Principal']} cells={(x) => [x.principal]} none="Nobody who is known can." label="Who can do this" />}
          </Answer>
        )}
      </div>
    </Panel>
  );
}

function What() {
  const filters = useFilters();
  const asked = filters.get('principal');
  const [principal, setPrincipal] = useState(asked);
  const answer = useWhatCan(asked || undefined);
  return (
    <Panel title="What can they do?">
      <div className="rd-stack">
        <Form onSubmit={(e) => { e.preventDefault(); filters.set('principal', principal.trim()); }}>
          <PrincipalField id="what-principal" label="Principal" value={principal} set={setPrincipal} />
          <div><Button type="submit" isDisabled={principal.trim() === ''}>List it</Button></div>
        </Form>
        {asked && (
          <Answer of={answer} act="Ask the policies">
            {(a) => <List of={a} heads={['Action', 'Resource']} cells={(x) => [x.action, x.resource]} none="Nothing, on any resource that is known." label="What they can do" />}
          </Answer>
        )}
      </div>
    </Panel>
  );
}

const most = 300;

interface ListProps { of: AccessList; heads: string[]; cells: (a: NonNullable<AccessList['items']>[number]) => string[]; none: string; label: string }

function List({ of: a, heads, cells, none, label }: ListProps) {
  const items = list(a.items);
  if (items.length === 0) return <p role="status">{none}</p>;
  return (
    <>
      <Table aria-label={label} variant="compact" gridBreakPoint="grid-md" className="rd-tight">
        <Thead><Tr>{heads.map((h) => <Th key={h}>{h}</Th>)}<Th>Because of</Th></Tr></Thead>
        <Tbody>
          {items.slice(0, most).map((x, i) => (
            <Tr key={i}>
              {cells(x).map((c, k) => <Td key={k} dataLabel={heads[k]!} modifier="breakWord"><code className="rd-raw">{escapeText(c)}</code></Td>)}
              <Td dataLabel="Because of" modifier="breakWord"><Link to={accessPolicyPath(policyOf(x.policy))}>{escapeText(x.policy)}</Link></Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
      {items.length > most && <p className="rd-sub">{most} of {count(items.length)} are listed.</p>}
    </>
  );
}
