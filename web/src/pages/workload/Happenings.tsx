import { Link } from 'react-router';
import { useAlerts, useEvents } from '../../api/hooks';
import type { Workload } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { useFilters } from '../../parts/filters';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { AlertTable } from '../alerts/AlertTable';
import { EventTable } from '../events/EventTable';
import { Hidden, listsAll, ShownToggle } from '../events/Shown';

export function WorkloadEvents({ of: w }: { of: Workload }) {
  const filters = useFilters();
  const all = listsAll(filters);
  const picked = { workload: w.workload.id };
  const events = useEvents(all ? picked : { ...picked, notable: true });
  return (
    <div className="rd-stack">
      <div className="rd-spread">
        <Link to={`/events?workload=${encodeURIComponent(w.workload.id)}${all ? '&show=all' : ''}`}>Search and filter these</Link>
        <ShownToggle filters={filters} />
      </div>
      <Hidden filters={filters} picked={picked} listed={events.total} />
      <Answer of={{ ...events, data: events.items }} act="List events">
        {(items) => items.length === 0 ? <Nothing what={all ? 'events of this workload' : 'noteworthy events of this workload'}>It did nothing outside its profile.</Nothing> : (
          <>
            <EventTable events={items} alone />
            <More of={events} />
          </>
        )}
      </Answer>
    </div>
  );
}

export function WorkloadAlerts({ of: w }: { of: Workload }) {
  const alerts = useAlerts({ workload: w.workload.id });
  return (
    <Answer of={{ ...alerts, data: alerts.items }} act="List alerts">
      {(items) => items.length === 0 ? <Nothing what="alerts of this workload">It has kept to its profile and to every policy.</Nothing> : (
        <>
          <AlertTable alerts={items} />
          <More of={alerts} />
        </>
      )}
    </Answer>
  );
}
