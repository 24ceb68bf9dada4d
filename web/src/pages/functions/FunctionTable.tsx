import { Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import { list } from '../../api/types';
import type { Fn, UsageRow } from '../../api/functionTypes';
import { Spark } from '../../parts/BarChart';
import type { Filters } from '../../parts/filters';
import { FnStateLabel } from '../../parts/functionLabels';
import { ExclamationTriangleIcon } from '../../parts/icons';
import { StateLabel } from '../../parts/labels';
import { functionPath } from '../../parts/links';
import { hours, sum } from '../../parts/series';
import { SortTh } from '../../parts/Sorted';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { groupBy } from '../../text/group';
import { count, finePercent, percent, plural } from '../../text/number';
import { parseTime } from '../../text/time';

interface Props { functions: Fn[]; usage: UsageRow[]; until: string | undefined; filters: Filters }

export function FunctionTable({ functions, usage, until, filters }: Props) {
  const byName = groupBy(usage, (u) => u.function);
  return (
    <Table aria-label="Functions" variant="compact" gridBreakPoint="grid-xl" className="rd-tight">
      <Thead>
        <Tr>
          <SortTh filters={filters} by="name">Function</SortTh>
          <Th>Version</Th>
          <SortTh filters={filters} by="calls" first="desc">Calls a day</SortTh>
          <SortTh filters={filters} by="errors" first="desc">Errors</SortTh>
          <Th>Model</Th>
          <SortTh filters={filters} by="risks" first="desc">To look at</SortTh>
          <SortTh filters={filters} by="last" first="desc">Last run</SortTh>
        </Tr>
      </Thead>
      <Tbody>
        {functions.map((f) => <Row key={f.id} of={f} usage={byName.get(f.id) ?? []} until={until} />)}
      </Tbody>
    </Table>
  );
}

function Row({ of: f, usage, until }: { of: Fn; usage: UsageRow[]; until: string | undefined }) {
  const samples = hours(usage, parseTime(until) ?? Date.now(), 24).map((h) => ({ time: h.time, value: sum(h.rows, (r) => r.calls), bad: sum(h.rows, (r) => r.errors) }));
  return (
    <Tr>
      <Td dataLabel="Function" modifier="breakWord">
        <Link to={functionPath(f.id)}>{f.id}</Link> {f.state === 'disabled' && <FnStateLabel of={f.state} reason={f.reason} />}
        <div className="rd-sub">{f.runtime} {f.language}</div>
        {f.description && <div className="rd-sub">{escapeText(f.description)}</div>}
      </Td>
      <Td dataLabel="Version"><LiveVersions of={f} /></Td>
      <Td dataLabel="Calls, last day">
        <span className="rd-calls">{count(f.calls)} {f.calls > 0 && <Spark samples={samples} label={`${plural(f.calls, 'call')}, ${plural(f.errors, 'error')} in the last day`} />}</span>
      </Td>
      <Td dataLabel="Errors">
        {f.errors > 0 ? <Link className="rd-wrong" to={`${functionPath(f.id)}?tab=invocations&outcome=failed`}>{count(f.errors)} <span className="rd-sub">{finePercent(f.errors / f.calls)}</span></Link> : '0'}
        {f.refused > 0 && <div className="rd-sub">{count(f.refused)} refused</div>}
      </Td>
      <Td dataLabel="Model">{f.model ? <span><StateLabel of={f.model} /> {percent(f.coverage)}</span> : '–'}</Td>
      <Td dataLabel="To look at" className="rd-risk"><Risks of={f} /></Td>
      <Td dataLabel="Last run"><Time at={f.last} never="never" /></Td>
    </Tr>
  );
}

/** The version callers get, or the shares of a canary. */
export function LiveVersions({ of: f }: { of: Pick<Fn, 'live' | 'newest'> }) {
  const live = list(f.live);
  if (live.length === 0) return <span>none</span>;
  return (
    <>
      {live.map((w) => <div key={w.version} className="rd-narrow">{w.version}{live.length > 1 && <span className="rd-sub"> {w.percent} %</span>}</div>)}
      {!live.some((w) => w.version === f.newest) && <div className="rd-sub">newest is {f.newest}</div>}
    </>
  );
}

function Risks({ of: f }: { of: Fn }) {
  const risks = list(f.risks);
  if (risks.length === 0) return <span className="rd-sub">nothing</span>;
  return (
    <span title={risks.map(escapeText).join('\n')}>
      <span className="rd-sub"><ExclamationTriangleIcon className="rd-warn" /> {escapeText(risks[0]!)}</span>{' '}
      {risks.length > 1 && <Label isCompact variant="outline">and {risks.length - 1} more</Label>}
    </span>
  );
}
