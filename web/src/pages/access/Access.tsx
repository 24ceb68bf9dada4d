import { PageSection, Tab, Tabs, TabTitleText } from '@patternfly/react-core';
import { useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { Me } from './Me';
import { Tokens } from './Tokens';
import { Users } from './Users';

const tabs: [key: string, title: string, view: React.ReactNode][] = [
  ['users', 'Users', <Users />],
  ['tokens', 'API tokens', <Tokens />],
  ['me', 'Own password', <Me />],
];

export default function Access() {
  const filters = useFilters();
  const active = tabs.find(([key]) => key === filters.get('tab')) ?? tabs[0]!;
  return (
    <>
      <Head title="Access">Auditors read; operators also triage, respond and write profiles and policies; administrators also manage nodes and people.</Head>
      <PageSection isFilled>
        <Tabs activeKey={active[0]} onSelect={(_, key) => filters.set('tab', String(key))} aria-label="Kinds of access">
          {tabs.map(([key, title]) => <Tab key={key} eventKey={key} tabContentId="view" title={<TabTitleText>{title}</TabTitleText>} />)}
        </Tabs>
        <div id="view" role="tabpanel" tabIndex={0} aria-label={active[1]} className="rd-view">{active[2]}</div>
      </PageSection>
    </>
  );
}
