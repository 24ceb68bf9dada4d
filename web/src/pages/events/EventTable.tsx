import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import type { Event } from '../../api/types';
import { EffectLabel, SeverityLabel } from '../../parts/labels';
import { eventPath, WorkloadLink } from '../../parts/links';
import { Time } from '../../parts/Time';
import { summary } from '../../text/entry';
import { shorten } from '../../text/escape';
import { count } from '../../text/number';

/** Events as rows; without the workload where the page is about one. */
export function EventTable({ events, alone }: { events: Event[]; alone?: boolean }) {
  return (
    <Table aria-label="Events" variant="compact" gridBreakPoint="grid-lg">
      <Thead>
        <Tr><Th>Time</Th><Th>Kind</Th><Th>What</Th>{!alone && <Th>Workload</Th>}<Th>Verdict</Th><Th>Count</Th></Tr>
      </Thead>
      <Tbody>
        {events.map((e) => (
          <Tr key={e.id}>
            <Td dataLabel="Time" className="rd-narrow"><Link to={eventPath(e.id)} className="rd-plain"><Time at={e.time} /></Link></Td>
            <Td dataLabel="Kind">{e.kind}</Td>
            <Td dataLabel="What" modifier="breakWord"><code className="rd-raw">{shorten(summary(e), 160)}</code></Td>
            {!alone && <Td dataLabel="Workload"><WorkloadLink of={e.workload} /></Td>}
            <Td dataLabel="Verdict"><EffectLabel of={e.verdict} /> {e.verdict.severity && e.verdict.severity !== 'none' && <SeverityLabel of={e.verdict.severity} />}</Td>
            <Td dataLabel="Count">{count(e.count)}</Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
