import { PageSection } from '@patternfly/react-core';
import { Link, useParams } from 'react-router';
import { useAlert, useAlertWhy, useTriageAlert } from '../../api/hooks';
import type { Alert as Data } from '../../api/types';
import { Answer, Failure } from '../../parts/Answer';
import { Chain } from '../../parts/Chain';
import { Comments } from '../../parts/Comments';
import { Crumbs } from '../../parts/Crumbs';
import { Decide } from '../../parts/Decide';
import { Facts } from '../../parts/Facts';
import { Head } from '../../parts/Head';
import { EffectLabel, SeverityLabel, StatusLabel, Technique } from '../../parts/labels';
import { eventPath, incidentPath, WorkloadLink } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { Triage } from '../../parts/Triage';
import { RuleName, Why } from '../../parts/Why';
import { summary } from '../../text/entry';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';

export default function Alert() {
  const { id = '' } = useParams();
  const alert = useAlert(id);
  const triage = useTriageAlert();
  const a = alert.data;
  return (
    <>
      <Head
        title={a ? escapeText(a.title) : `Alert ${id}`}
        crumbs={<Crumbs to="/alerts" list="Alerts" here={id} />}
        actions={a && (
          <>
            <Decide alert={a} />
            <Triage status={a.status} busy={triage.isPending} move={(status) => triage.mutate({ id, status })} />
          </>
        )}
      >
        {a && <span className="rd-row-labels"><SeverityLabel of={a.severity} /> <StatusLabel of={a.status} by={a.status_by} whole /> <EffectLabel of={a.verdict} /> <Technique id={a.verdict.technique} /></span>}
      </Head>
      <PageSection isFilled>
        <Answer of={alert} act="Read the alert">
          {(found) => (
            <div className="rd-stack">
              {triage.error != null && <Failure error={triage.error} act="Change the status" />}
              <Detail of={found} />
              <Panel title="Comments"><Comments comments={found.comments} change={triage} id={id} /></Panel>
            </div>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

function Detail({ of: a }: { of: Data }) {
  const why = useAlertWhy(a.id);
  return (
    <>
      <Panel title="What happened">
        <p className="rd-what"><code className="rd-raw">{summary(a)}</code></p>
        <Facts columns="3Col" of={[
          ['Workload', <WorkloadLink of={a.workload} />],
          ['Image', a.workload.image && <Raw text={a.workload.image} />],
          ['Node', a.node],
          ['First seen', <Time at={a.first} />],
          ['Last seen', <Time at={a.time} />],
          ['Events like this', <Link to={`/events?show=all&workload=${encodeURIComponent(a.workload.id)}&kind=${a.kind}&q=${encodeURIComponent(a.process?.path ?? '')}`}>{count(a.count)}</Link>],
          ['Rule', <RuleName of={a.verdict.rule} />],
          ['Incident', a.incident && <Link to={incidentPath(a.incident)}>{a.incident}</Link>],
          ['Latest event', <Link to={eventPath(a.event)}>{a.event}</Link>],
        ]} />
      </Panel>
      <div className="rd-two">
        <Panel title="Who started it"><Chain of={a.process} /></Panel>
        <Panel title="Why this is an alert">
          <Answer of={why} act="Explain the alert">{(e) => <Why of={e} />}</Answer>
        </Panel>
      </div>
    </>
  );
}
