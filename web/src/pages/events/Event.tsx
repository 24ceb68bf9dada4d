import { CodeBlock, CodeBlockCode, ExpandableSection, PageSection } from '@patternfly/react-core';
import { useParams } from 'react-router';
import { useEvent, useEventWhy } from '../../api/hooks';
import type { Event as Data } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Chain } from '../../parts/Chain';
import { Crumbs } from '../../parts/Crumbs';
import { Facts } from '../../parts/Facts';
import { Head } from '../../parts/Head';
import { EffectLabel, SeverityLabel, Technique } from '../../parts/labels';
import { WorkloadLink } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { RuleName, Why } from '../../parts/Why';
import { summary } from '../../text/entry';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';

export default function Event() {
  const { id = '' } = useParams();
  const event = useEvent(id);
  return (
    <>
      <Head title={event.data ? `${event.data.kind} in ${escapeText(event.data.workload.name)}` : `Event ${id}`} crumbs={<Crumbs to="/events" list="Events" here={id} />}>
        {event.data && <span className="rd-row-labels"><EffectLabel of={event.data.verdict} /> {event.data.verdict.severity && event.data.verdict.severity !== 'none' && <SeverityLabel of={event.data.verdict.severity} />} <Technique id={event.data.verdict.technique} /></span>}
      </Head>
      <PageSection isFilled>
        <Answer of={event} act="Read the event">{(e) => <Detail of={e} />}</Answer>
      </PageSection>
    </>
  );
}

function Detail({ of: e }: { of: Data }) {
  const why = useEventWhy(e.id);
  return (
    <div className="rd-stack">
      <Panel title="What happened">
        <p className="rd-what"><code className="rd-raw">{summary(e)}</code></p>
        <Facts columns="3Col" of={[
          ['Time', <Time at={e.time} />],
          ['Workload', <WorkloadLink of={e.workload} />],
          ['Image', e.workload.image && <Raw text={e.workload.image} />],
          ['Container', e.workload.container && <Raw text={e.workload.container} max={24} />],
          ['Node', e.node],
          ['Stands for', `${count(e.count)} alike`],
          ['Rule', <RuleName of={e.verdict.rule} />],
          ['Carried out by', e.verdict.enforced],
          ['Reason', e.verdict.reason && escapeText(e.verdict.reason)],
        ]} />
      </Panel>
      <div className="rd-two">
        <Panel title="Who started it"><Chain of={e.process} /></Panel>
        <Panel title="Why this verdict"><Answer of={why} act="Explain the event">{(x) => <Why of={x} />}</Answer></Panel>
      </div>
      <ExpandableSection toggleText="The whole event as JSON">
        <CodeBlock><CodeBlockCode>{JSON.stringify(e, null, 2).split('\n').map(escapeText).join('\n')}</CodeBlockCode></CodeBlock>
      </ExpandableSection>
    </div>
  );
}
