import { Tab, Tabs, TabTitleText } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { useFilters } from './filters';

export type View = [key: string, title: string, view: () => ReactNode];

/** Views of one thing behind tabs; which one is open stands in the address. */
export function Views({ of: views, label }: { of: View[]; label: string }) {
  const filters = useFilters();
  const first = views[0]!;
  const [key, title, view] = views.find(([k]) => k === filters.get('tab')) ?? first;
  return (
    <>
      <Tabs activeKey={key} onSelect={(_, k) => filters.only('tab', k === first[0] ? '' : String(k))} aria-label={label}>
        {views.map(([k, says]) => <Tab key={k} eventKey={k} tabContentId="view" title={<TabTitleText>{says}</TabTitleText>} />)}
      </Tabs>
      <div id="view" role="tabpanel" tabIndex={0} aria-label={title} className="rd-view">{view()}</div>
    </>
  );
}
