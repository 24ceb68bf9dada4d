import { PageSection } from '@patternfly/react-core';
import { Link, useParams } from 'react-router';
import { useAlerts, useIncident, useTriageIncident } from '../../api/hooks';
import { list } from '../../api/types';
import type { Incident as Data } from '../../api/types';
import { Answer, Failure } from '../../parts/Answer';
import { Comments } from '../../parts/Comments';
import { Crumbs } from '../../parts/Crumbs';
import { Facts } from '../../parts/Facts';
import { Head } from '../../parts/Head';
import { SeverityLabel, StatusLabel, Technique } from '../../parts/labels';
import { WorkloadLink } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { Triage } from '../../parts/Triage';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { AlertTable } from '../alerts/AlertTable';
import { Timeline } from './Timeline';

export default function Incident() {
  const { id = '' } = useParams();
  const incident = useIncident(id);
  const triage = useTriageIncident();
  const i = incident.data;
  return (
    <>
      <Head
        title={i ? escapeText(i.title) : `Incident ${id}`}
        crumbs={<Crumbs to="/incidents" list="Incidents" here={id} />}
        actions={i && <Triage status={i.status} busy={triage.isPending} move={(status) => triage.mutate({ id, status })} />}
      >
        {i && <span className="rd-row-labels"><SeverityLabel of={i.severity} /> <StatusLabel of={i.status} by={i.status_by} whole /> {list(i.techniques).map((t) => <Technique key={t} id={t} />)}</span>}
      </Head>
      <PageSection isFilled>
        <Answer of={incident} act="Read the incident">
          {(found) => (
            <div className="rd-stack">
              {triage.error != null && <Failure error={triage.error} act="Change the status" />}
              <Story of={found} />
              <Panel title="Comments"><Comments comments={found.comments} change={triage} id={id} /></Panel>
            </div>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

function Story({ of: i }: { of: Data }) {
  const alerts = useAlerts({ incident: i.id, limit: 200 });
  return (
    <>
      <div className="rd-two">
        <Panel title="Timeline"><Timeline of={list(i.timeline)} /></Panel>
        <Panel title="Where">
          <Facts columns="1Col" of={[
            ['Workload', <WorkloadLink of={i.workload} />],
            ['Image', i.workload.image && <Raw text={i.workload.image} />],
            ['Began', <Time at={i.first} />],
            ['Last alert', <Time at={i.time} />],
            ['Behind it', `${plural(list(i.alerts).length, 'alert')}, ${plural(i.count, 'event')}`],
            ['Everything of this workload', <Link to={`/events?show=all&workload=${encodeURIComponent(i.workload.id)}`}>Events</Link>],
          ]} />
        </Panel>
      </div>
      <Panel title="Alerts of this incident">
        <Answer of={{ ...alerts, data: alerts.items }} act="List its alerts">{(items) => <AlertTable alerts={items} />}</Answer>
      </Panel>
    </>
  );
}
