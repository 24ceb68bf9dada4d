import { Label, PageSection, Tab, Tabs, TabTitleText } from '@patternfly/react-core';
import { useParams } from 'react-router';
import { useWorkload } from '../../api/hooks';
import type { Workload as Data } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Crumbs } from '../../parts/Crumbs';
import { useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { UnlinkIcon } from '../../parts/icons';
import { StateLabel } from '../../parts/labels';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { Actions } from './Actions';
import { Connections } from './Connections';
import { WorkloadAlerts, WorkloadEvents } from './Happenings';
import { ProfileTab } from './ProfileTab';
import { Summary } from './Summary';

const tabs: [key: string, title: (w: Data) => string, view: (w: Data) => React.ReactNode][] = [
  ['overview', () => 'Overview', (w) => <Summary of={w} />],
  ['profile', () => 'Profile', (w) => <ProfileTab of={w} />],
  ['connections', () => 'Connections', (w) => <Connections of={w} />],
  ['events', () => 'Events', (w) => <WorkloadEvents of={w} />],
  ['alerts', (w) => `Alerts (${count(w.alerts)} open)`, (w) => <WorkloadAlerts of={w} />],
];

export default function Workload() {
  const { instance = '' } = useParams();
  const workload = useWorkload(instance);
  const filters = useFilters();
  const w = workload.data;
  const active = tabs.find(([key]) => key === filters.get('tab')) ?? tabs[0]!;
  return (
    <>
      <Head
        title={w ? escapeText(w.name || w.workload.id) : escapeText(instance)}
        crumbs={<Crumbs to="/workloads" list="Workloads" here={escapeText(w?.name ?? instance)} />}
        actions={w && <Actions of={w} />}
      >
        {w && (
          <span className="rd-row-labels">
            <StateLabel of={w.profile.state} />
            {!w.running && <Label isCompact>stopped</Label>}
            {w.isolated && <Label isCompact color="orange" icon={<UnlinkIcon />}>isolated: its network is cut</Label>}
            <code className="rd-raw">{escapeText(w.workload.id)}</code>
          </span>
        )}
      </Head>
      <PageSection isFilled>
        <Answer of={workload} act="Read the workload">
          {(found) => (
            <>
              <Tabs activeKey={active[0]} onSelect={(_, key) => filters.set('tab', key === 'overview' ? '' : String(key))} aria-label="Views of the workload">
                {tabs.map(([key, title]) => <Tab key={key} eventKey={key} tabContentId="view" title={<TabTitleText>{title(found)}</TabTitleText>} />)}
              </Tabs>
              <div id="view" role="tabpanel" tabIndex={0} aria-label={active[1](found)} className="rd-view">{active[2](found)}</div>
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}
