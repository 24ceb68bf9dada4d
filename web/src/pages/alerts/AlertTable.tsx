import { Button } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Alert } from '../../api/types';
import { EffectLabel, SeverityLabel, StatusLabel, Technique } from '../../parts/labels';
import { alertPath, WorkloadLink } from '../../parts/links';
import { useMay } from '../../parts/may';
import { Time } from '../../parts/Time';
import { RuleName } from '../../parts/Why';
import { summary } from '../../text/entry';
import { escapeText, shorten } from '../../text/escape';
import { count, plural } from '../../text/number';
import { Bulk } from './Bulk';
import { grouped } from './group';
import type { AlertGrouping } from './group';

/** Alerts as rows, in groups if asked, with a choice of many to act on at once. */
export function AlertTable({ alerts, by = '' }: { alerts: Alert[]; by?: AlertGrouping }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const may = useMay('operator');
  const shown = new Set(alerts.map((a) => a.id));
  const still = [...chosen].filter((id) => shown.has(id));
  const choose = (ids: string[], on: boolean) => {
    const next = new Set(still);
    for (const id of ids) on ? next.add(id) : next.delete(id);
    setChosen(next);
  };
  return (
    <>
      {may && <Bulk ids={still} clear={() => setChosen(new Set())} />}
      <Table aria-label="Alerts" variant="compact" gridBreakPoint="grid-lg" className="rd-alerts">
        <Thead>
          <Tr>
            {may && <Th aria-label="Choose all" select={{ isSelected: still.length > 0 && still.length === alerts.length, onSelect: (_, on) => choose(alerts.map((a) => a.id), on) }} />}
            <Th>Severity</Th><Th>Alert</Th><Th width={15}>Workload</Th><Th>Outcome</Th><Th>Count</Th><Th>Status</Th><Th>Last</Th>
          </Tr>
        </Thead>
        {grouped(alerts, by).map((g) => (
          <Tbody key={g.name}>
            {by && (
              <Tr className="rd-group">
                <Th colSpan={may ? 8 : 7} scope="rowgroup">
                  <SeverityLabel of={g.worst} /> {by === 'rule' ? <RuleName of={g.name} /> : escapeText(g.name)}{' '}
                  <span className="rd-sub">{plural(g.alerts.length, 'alert')}, {plural(g.count, 'event')}</span>{' '}
                  {may && <Button variant="link" isInline onClick={() => choose(g.alerts.map((a) => a.id), true)}>Choose these</Button>}
                </Th>
              </Tr>
            )}
            {g.alerts.map((a, i) => (
              <Tr key={a.id}>
                {may && <Td select={{ rowIndex: i, isSelected: chosen.has(a.id), onSelect: (_, on) => choose([a.id], on) }} />}
                <Td dataLabel="Severity"><SeverityLabel of={a.severity} /></Td>
                <Td dataLabel="Alert" modifier="breakWord">
                  <Link to={alertPath(a.id)}>{escapeText(a.title)}</Link> <Technique id={a.verdict.technique} />
                  <div className="rd-sub"><code className="rd-raw">{shorten(summary(a), 100)}</code></div>
                </Td>
                <Td dataLabel="Workload"><WorkloadLink of={a.workload} /></Td>
                <Td dataLabel="Outcome"><EffectLabel of={a.verdict} /></Td>
                <Td dataLabel="Count">{count(a.count)}</Td>
                <Td dataLabel="Status"><StatusLabel of={a.status} by={a.status_by} /></Td>
                <Td dataLabel="Last"><Time at={a.time} /></Td>
              </Tr>
            ))}
          </Tbody>
        ))}
      </Table>
    </>
  );
}
