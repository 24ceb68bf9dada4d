import { Button, PageSection } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link, useNavigate } from 'react-router';
import { url } from '../../api/client';
import { useIncidents } from '../../api/hooks';
import { list } from '../../api/types';
import type { Incident } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { DownloadIcon } from '../../parts/icons';
import { SeverityLabel, StatusLabel, Technique } from '../../parts/labels';
import { incidentPath, WorkloadLink } from '../../parts/links';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { severities, spans, statusChoice } from '../../parts/options';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';

export default function Incidents() {
  const filters = useFilters();
  const navigate = useNavigate();
  const picked = filters.pick('q', 'severity', 'workload', 'since');
  const params = { ...picked, ...statusChoice(filters.get('status')) };
  const incidents = useIncidents(params);
  return (
    <>
      <Head title="Incidents" actions={<Button variant="secondary" component="a" href={url('/incidents.csv', params)} download="incidents.csv" icon={<DownloadIcon />}>CSV</Button>}>
        Alerts of one workload that came close together, told as one story.
      </Head>
      <PageSection isFilled>
        <FilterBar>
          <Search filters={filters} placeholder="Search incidents" />
          <Choice filters={filters} name="status" label="Status: open" options={['acknowledged', 'resolved', 'all']} />
          <Choice filters={filters} name="severity" label="Any severity" options={severities} />
          <Choice filters={filters} name="since" label="Any time" options={spans} />
        </FilterBar>
        <Answer of={{ ...incidents, data: incidents.items }} act="List incidents">
          {(items) => items.length === 0 ? (
            <Nothing what={params.status === 'open' ? 'open incidents' : 'incidents'} filtered={Object.keys(picked).length > 0} actions={<Button variant="link" onClick={() => void navigate('/incidents?status=all')}>Show all incidents</Button>}>
              No workload that is watched has a story to tell.
            </Nothing>
          ) : (
            <>
              <Rows items={items} />
              <More of={incidents} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

function Rows({ items }: { items: Incident[] }) {
  return (
    <Table aria-label="Incidents" variant="compact" gridBreakPoint="grid-lg">
      <Thead>
        <Tr><Th>Severity</Th><Th>Incident</Th><Th>Workload</Th><Th>Alerts</Th><Th>Events</Th><Th>Status</Th><Th>Began</Th><Th>Last</Th></Tr>
      </Thead>
      <Tbody>
        {items.map((i) => (
          <Tr key={i.id}>
            <Td dataLabel="Severity"><SeverityLabel of={i.severity} /></Td>
            <Td dataLabel="Incident" modifier="breakWord">
              <Link to={incidentPath(i.id)}>{escapeText(i.title)}</Link>{' '}
              {list(i.techniques).map((t) => <Technique key={t} id={t} />)}
            </Td>
            <Td dataLabel="Workload"><WorkloadLink of={i.workload} /></Td>
            <Td dataLabel="Alerts">{list(i.alerts).length}</Td>
            <Td dataLabel="Events">{count(i.count)}</Td>
            <Td dataLabel="Status"><StatusLabel of={i.status} by={i.status_by} /></Td>
            <Td dataLabel="Began"><Time at={i.first} /></Td>
            <Td dataLabel="Last"><Time at={i.time} /></Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
