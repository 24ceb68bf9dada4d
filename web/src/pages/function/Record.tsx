import { Alert, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import type { Invocation, LogLine, Use } from '../../api/functionTypes';
import { list } from '../../api/types';
import type { Verdict } from '../../api/types';
import { Facts } from '../../parts/Facts';
import { OutcomeLabel, StartLabel } from '../../parts/functionLabels';
import { EffectLabel, SeverityLabel, Technique } from '../../parts/labels';
import { accessPolicyPath, functionPath } from '../../parts/links';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { duration } from '../../text/duration';
import { escapeText } from '../../text/escape';
import { bytes, count } from '../../text/number';
import { policyOf } from '../../text/statement';
import { deedText } from '../../text/use';
import { LogText } from './LogText';

/** One call: how it went, what it used, what was thought of that, what it printed. */
export function Record({ of: i, lines }: { of: Invocation; lines?: LogLine[] | undefined }) {
  return (
    <div className="rd-stack">
      <p className="rd-row-labels"><OutcomeLabel of={i.outcome} /> <StartLabel of={i.start} /> {i.status ? <span>answered {i.status}</span> : null}</p>
      {i.error && <Alert isInline isPlain variant="danger" title={escapeText(i.error)} />}
      <Facts columns="3Col" of={[
        ['Time', <Time at={i.time} />],
        ['Function', <Link to={functionPath(i.function)}>{i.function}</Link>],
        ['Version', i.version && `${i.version}${i.alias ? ` by alias ${i.alias}` : ''}`],
        ['Caller', <Raw text={i.caller} />],
        ['From', i.from],
        ['Source', `${i.source}${i.async ? ', asynchronous' : ''}`],
        ['Route', i.route && <Raw text={i.route} />],
        ['Attempt', (i.attempt ?? 0) > 1 && `${i.attempt}`],
        ['Decided by', i.decision && <Link to={accessPolicyPath(policyOf(i.decision))}><code className="rd-raw">{escapeText(i.decision)}</code></Link>],
        ['Waited for a place', i.queued && duration(i.queued)],
        ['Start of the environment', i.init && duration(i.init)],
        ['In the handler', i.duration !== undefined && duration(i.duration)],
        ['Added by Redoubt', i.overhead && duration(i.overhead)],
        ['Billed', i.billed && duration(i.billed)],
        ['Processor time', i.cpu && duration(i.cpu)],
        ['Memory', i.memory && `${bytes(i.memory)}${i.limit ? ` of ${bytes(i.limit)}` : ''}`],
        ['In and out', `${bytes(i.in)}, ${bytes(i.out)}`],
        ['Tenant', i.tenant && escapeText(i.tenant)],
        ['Called by', i.parent && <Raw text={i.parent} max={40} />],
        ['Trace', i.trace && <Raw text={i.trace} max={60} />],
      ]} />
      <Verdicts of={list(i.verdicts)} />
      <Uses of={list(i.uses)} />
      {lines && lines.length > 0 && <div><h3 className="rd-h3">What it printed</h3><LogText lines={lines} label="What the invocation printed" /></div>}
      {lines && lines.length === 0 && <p className="rd-sub">It printed nothing.</p>}
    </div>
  );
}

function Verdicts({ of: all }: { of: Verdict[] }) {
  if (all.length === 0) return null;
  return (
    <div>
      <h3 className="rd-h3">What was found</h3>
      <ul className="rd-list">
        {all.map((v, k) => (
          <li key={k} className="rd-row-labels"><SeverityLabel of={v.severity} /> <EffectLabel of={v} /> <Technique id={v.technique} /> <span>{escapeText(v.reason ?? v.rule ?? '')}</span></li>
        ))}
      </ul>
    </div>
  );
}

function Uses({ of: all }: { of: Use[] }) {
  if (all.length === 0) return <p className="rd-sub">It used nothing but its own code.</p>;
  return (
    <div>
      <h3 className="rd-h3">What it used</h3>
      <Table aria-label="Uses" variant="compact" gridBreakPoint="grid-md" className="rd-tight">
        <Thead><Tr><Th>Use</Th><Th>Times</Th><Th>Moved</Th><Th>Outcome</Th></Tr></Thead>
        <Tbody>
          {all.map((u) => (
            <Tr key={`${u.kind} ${u.target} ${u.refused}`}>
              <Td dataLabel="Use" modifier="breakWord"><code className="rd-raw">{deedText(u)}</code></Td>
              <Td dataLabel="Times">{count(u.count)}</Td>
              <Td dataLabel="Moved">{u.bytes ? bytes(u.bytes) : '–'}</Td>
              <Td dataLabel="Outcome">{u.refused ? <Label isCompact color="orange">not granted</Label> : 'granted'}</Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </div>
  );
}
