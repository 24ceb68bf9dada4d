import { Gallery, PageSection } from '@patternfly/react-core';
import { Link } from 'react-router';
import { useOverview } from '../../api/hooks';
import { list } from '../../api/types';
import type { Overview as Data } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Head } from '../../parts/Head';
import { SeverityLabel, StatusLabel, Technique } from '../../parts/labels';
import { incidentPath, WorkloadLink } from '../../parts/links';
import { Nothing } from '../../parts/Nothing';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count, plural } from '../../text/number';
import { Attention } from './Attention';
import { Blind } from './Blind';
import { Learning } from './Learning';
import { Rate } from './Rate';

export default function Overview() {
  const overview = useOverview();
  return (
    <>
      <Head title="Overview">
        {overview.data && <>as of <Time at={overview.data.time} /> · {plural(overview.data.workloads, 'workload')} · {count(overview.data.events)} events recorded</>}
      </Head>
      <PageSection isFilled>
        <Answer of={overview} act="Read the overview">{(o) => <Panels of={o} />}</Answer>
      </PageSection>
    </>
  );
}

function Panels({ of: o }: { of: Data }) {
  return (
    <div className="rd-stack">
      <Attention of={o} />
      <div className="rd-two">
        <Incidents of={o} />
        <Blind of={o} />
      </div>
      <div className="rd-two">
        <Rate points={list(o.rate)} />
        <Learning of={o} />
      </div>
    </div>
  );
}

function Incidents({ of: o }: { of: Data }) {
  const incidents = list(o.incidents);
  return (
    <Panel title="Open incidents" actions={<Link to="/incidents">All incidents</Link>}>
      {incidents.length === 0 && <Nothing what="open incidents">Nothing in the workloads that are watched asks for you.</Nothing>}
      <Gallery className="rd-list">
        {incidents.map((i) => (
          <div key={i.id} className="rd-row">
            <div className="rd-row-labels"><SeverityLabel of={i.severity} /> <StatusLabel of={i.status} />{list(i.techniques).map((t) => <Technique key={t} id={t} />)}</div>
            <Link to={incidentPath(i.id)}>{escapeText(i.title)}</Link>
            <div className="rd-sub"><WorkloadLink of={i.workload} /> · {plural(i.count, 'event')} · last <Time at={i.time} /></div>
          </div>
        ))}
      </Gallery>
    </Panel>
  );
}
