import { Button, PageSection, Switch } from '@patternfly/react-core';
import { useNavigate } from 'react-router';
import { url } from '../../api/client';
import { useEvents } from '../../api/hooks';
import { useLive } from '../../api/stream';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { DownloadIcon } from '../../parts/icons';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { spans } from '../../parts/options';
import { EventTable } from './EventTable';
import { Hidden, listsAll, ShownToggle } from './Shown';

const kinds = ['exec', 'exit', 'listen', 'connect', 'accept', 'start', 'stop', 'loss', 'action'];

export default function Events() {
  const filters = useFilters();
  const navigate = useNavigate();
  const { live, pause } = useLive();
  const picked = filters.pick('q', 'workload', 'kind', 'effect', 'node', 'since', 'until', 'novel');
  const all = listsAll(filters);
  const asked = all ? picked : { ...picked, notable: true };
  const events = useEvents(asked);
  return (
    <>
      <Head title="Events" actions={
        <>
          <Switch label="Live" isChecked={live !== 'paused'} onChange={(_, on) => pause(!on)} aria-label="New events appear as they happen" />
          <Button variant="secondary" component="a" href={url('/events.csv', asked)} download="events.csv" icon={<DownloadIcon />}>CSV</Button>
        </>
      }>
        What the sensors saw, newest first. Repeats of what is known to be good are only counted, in the kernel.
      </Head>
      <PageSection isFilled>
        <FilterBar end={<ShownToggle filters={filters} />}>
          <Search filters={filters} placeholder="Search events" />
          <Choice filters={filters} name="kind" label="Any kind" options={kinds} />
          <Choice filters={filters} name="effect" label="Any outcome" options={['alert', 'prevent', 'block', 'isolate', 'ignore']} />
          {all && <Choice filters={filters} name="novel" label="Known and new" options={{ true: 'Outside the profile', false: 'Within the profile' }} />}
          <Choice filters={filters} name="since" label="Any time" options={spans} />
          <Search filters={filters} placeholder="Workload" name="workload" />
        </FilterBar>
        <Hidden filters={filters} picked={picked} listed={events.total} />
        <Answer of={{ ...events, data: events.items }} act="List events">
          {(items) => items.length === 0 ? (
            <Nothing what={all ? 'events' : 'noteworthy events'} filtered={Object.keys(picked).length > 0} actions={
              <>
                {!all && <Button variant="link" onClick={() => filters.set('show', 'all')}>Show all events</Button>}
                {Object.keys(picked).length > 0 && <Button variant="link" onClick={() => void navigate('/events')}>Clear filters</Button>}
              </>
            }>Everything kept to what is known to be good.</Nothing>
          ) : (
            <>
              <EventTable events={items} />
              <More of={events} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}
