import { FormSelect, FormSelectOption } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useUsage } from '../../api/functions';
import type { FnDetail, Usage, UsageRow } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { BarChart } from '../../parts/BarChart';
import { Panel } from '../../parts/Panel';
import { hours, sum } from '../../parts/series';
import { Time } from '../../parts/Time';
import { duration, gbSeconds } from '../../text/duration';
import { escapeText } from '../../text/escape';
import { bytes, count, percent, plural } from '../../text/number';
import { parseTime } from '../../text/time';

const spans = { '24h': ['Last day', 24], '72h': ['Last 3 days', 72], '168h': ['Last 7 days', 168] } as const;
type Span = keyof typeof spans;

/** Calls, errors and durations of late, in numbers and as charts; and by whom. */
export function Traffic({ of: f }: { of: FnDetail }) {
  const [span, setSpan] = useState<Span>('24h');
  const usage = useUsage({ function: f.id, since: span, by: 'hour' });
  return (
    <Panel
      title="Traffic"
      actions={
        <FormSelect aria-label="Span of time" value={span} onChange={(_, v) => setSpan(v as Span)} className="rd-choice">
          {Object.entries(spans).map(([k, [says]]) => <FormSelectOption key={k} value={k} label={says} />)}
        </FormSelect>
      }
    >
      <div className="rd-stack">
        <Answer of={usage} act="Count calls">{(u) => <Charts of={u} hours={spans[span][1]} />}</Answer>
        <Callers name={f.id} since={span} />
      </div>
    </Panel>
  );
}

function Charts({ of: u, hours: n }: { of: Usage; hours: number }) {
  const rows = list(u.items);
  const series = hours(rows, parseTime(u.until) ?? Date.now(), n);
  const total = (of: (r: UsageRow) => number) => sum(rows, of);
  const [calls, errors, refused] = [total((r) => r.calls), total((r) => r.errors), total((r) => r.refused)];
  const ran = calls - refused;
  const mean = (all: UsageRow[]) => {
    const finished = sum(all, (r) => r.calls - r.refused);
    return finished > 0 ? sum(all, (r) => r.duration) / finished : 0;
  };
  const figures: [string, string][] = [
    ['Calls', count(calls)],
    ['Errors', errors > 0 ? `${count(errors)} (${percent(errors / Math.max(1, ran))})` : '0'],
    ['Refused', count(refused)],
    ['Mean duration', ran > 0 ? duration(mean(rows)) : '–'],
    ['Cold starts', ran > 0 ? `${count(total((r) => r.cold))} (${percent(total((r) => r.cold) / ran)})` : '0'],
    ['Billed', duration(total((r) => r.billed))],
    ['Memory held', gbSeconds(total((r) => r.gb_seconds))],
    ['In and out', `${bytes(total((r) => r.in))}, ${bytes(total((r) => r.out))}`],
  ];
  return (
    <>
      <dl className="rd-figures">{figures.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      <div className="rd-charts">
        <Chart title="Calls an hour; errors hatched">
          <BarChart samples={series.map((h) => ({ time: h.time, value: sum(h.rows, (r) => r.calls), bad: sum(h.rows, (r) => r.errors) }))} says={count} bad="with errors" label={`${plural(calls, 'call')} in ${n} hours, ${count(errors)} with errors`} />
        </Chart>
        <Chart title="Mean duration in each hour">
          <BarChart samples={series.map((h) => ({ time: h.time, value: mean(h.rows) }))} says={duration} label={`Mean duration in each of ${n} hours, ${duration(mean(rows))} over all`} />
        </Chart>
        <Chart title="Refused an hour">
          <BarChart samples={series.map((h) => ({ time: h.time, value: sum(h.rows, (r) => r.refused) }))} says={count} label={`${count(refused)} refused in ${n} hours`} />
        </Chart>
      </div>
    </>
  );
}

function Chart({ title, children }: { title: string; children: React.ReactNode }) {
  return <figure className="rd-figure">{children}<figcaption className="rd-sub">{title}</figcaption></figure>;
}

const most = 8;

function Callers({ name, since }: { name: string; since: string }) {
  const usage = useUsage({ function: name, since, by: 'caller' });
  const rows = list(usage.data?.items).toSorted((a, b) => b.calls - a.calls);
  if (rows.length === 0) return null;
  return (
    <div>
      <h3 className="rd-h3">Who called</h3>
      <Table aria-label="Callers" variant="compact" gridBreakPoint="grid-md" className="rd-tight">
        <Thead><Tr><Th>Caller</Th><Th>Calls</Th><Th>Errors</Th><Th>Refused</Th><Th>Memory held</Th><Th>Last</Th></Tr></Thead>
        <Tbody>
          {rows.slice(0, most).map((r) => (
            <Tr key={r.caller}>
              <Td dataLabel="Caller" modifier="breakWord"><code className="rd-raw">{escapeText(r.caller ?? '')}</code></Td>
              <Td dataLabel="Calls">{count(r.calls)}</Td>
              <Td dataLabel="Errors">{count(r.errors)}</Td>
              <Td dataLabel="Refused">{count(r.refused)}</Td>
              <Td dataLabel="Memory held">{gbSeconds(r.gb_seconds)}</Td>
              <Td dataLabel="Last"><Time at={r.last} /></Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
      {rows.length > most && <p className="rd-sub">The {most} who called most of {count(rows.length)}.</p>}
    </div>
  );
}
