import { Button, Label, PageSection } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link, useNavigate } from 'react-router';
import { useWorkloads } from '../../api/hooks';
import type { Workload } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { covered, CoverageBar } from '../../parts/Coverage';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { UnlinkIcon } from '../../parts/icons';
import { SeverityLabel, StateLabel } from '../../parts/labels';
import { WorkloadLink } from '../../parts/links';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { count, percent } from '../../text/number';

export default function Workloads() {
  const filters = useFilters();
  const navigate = useNavigate();
  const picked = filters.pick('q', 'kind', 'state', 'running');
  const workloads = useWorkloads(picked);
  const filtered = Object.keys(picked).length > 0;
  return (
    <>
      <Head title="Workloads">Containers, services and hosts, with the profile each is held to.</Head>
      <PageSection isFilled>
        <FilterBar>
          <Search filters={filters} placeholder="Search workloads" />
          <Choice filters={filters} name="kind" label="Any kind" options={['container', 'service', 'host']} />
          <Choice filters={filters} name="state" label="Any state" options={['learning', 'observing', 'enforcing', 'archived']} />
          <Choice filters={filters} name="running" label="Running or not" options={{ true: 'running', false: 'stopped' }} />
        </FilterBar>
        <Answer of={{ ...workloads, data: workloads.items }} act="List workloads">
          {(items) => items.length === 0 ? (
            <Nothing what="workloads" filtered={filtered} actions={filtered && <Button variant="link" onClick={() => void navigate('/workloads')}>Clear filters</Button>} />
          ) : (
            <>
              <Rows items={items} />
              <More of={workloads} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

function Rows({ items }: { items: Workload[] }) {
  return (
    <Table aria-label="Workloads" variant="compact" gridBreakPoint="grid-lg">
      <Thead>
        <Tr><Th>Workload</Th><Th>Image</Th><Th>Profile</Th><Th>Covered at least</Th><Th>Open alerts</Th><Th>Node</Th><Th>Started</Th></Tr>
      </Thead>
      <Tbody>
        {items.map((w) => (
          <Tr key={`${w.node} ${w.id}`}>
            <Td dataLabel="Workload">
              <WorkloadLink of={w.workload} instance={w.id} />{' '}
              <span className="rd-sub">{w.kind}</span>{' '}
              {!w.running && <Label isCompact>stopped</Label>}
              {w.isolated && <Label isCompact color="orange" icon={<UnlinkIcon />}>isolated</Label>}
            </Td>
            <Td dataLabel="Image" modifier="breakWord">{w.image ? <Raw text={w.image} max={48} /> : '–'}</Td>
            <Td dataLabel="Profile"><StateLabel of={w.profile.state} /></Td>
            <Td dataLabel="Covered at least">{w.profile.state ? <div className="rd-meter"><CoverageBar of={w.profile.coverage} label={`Coverage of ${w.name}`} /><span title={covered(w.profile.coverage)}>{percent(w.profile.coverage.lower)}</span></div> : '–'}</Td>
            <Td dataLabel="Open alerts">
              {w.alerts === 0 ? '0' : <Link to={`/alerts?status=open&workload=${encodeURIComponent(w.workload.id)}`}>{count(w.alerts)} <SeverityLabel of={w.worst} /></Link>}
            </Td>
            <Td dataLabel="Node">{w.node}</Td>
            <Td dataLabel="Started"><Time at={w.started} /></Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
