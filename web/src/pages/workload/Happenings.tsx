import { Link } from 'react-router';
import { useAlerts, useEvents } from '../../api/hooks';
import type { Workload } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { AlertTable } from '../alerts/AlertTable';
import { EventTable } from '../events/EventTable';

export function WorkloadEvents({ of: w }: { of: Workload }) {
  const events = useEvents({ workload: w.workload.id });
  return (
    <Answer of={{ ...events, data: events.items }} act="List events">
      {(items) => items.length === 0 ? <Nothing what="events of this workload" /> : (
        <>
          <p><Link to={`/events?workload=${encodeURIComponent(w.workload.id)}`}>Search and filter these</Link></p>
          <EventTable events={items} alone />
          <More of={events} />
        </>
      )}
    </Answer>
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
