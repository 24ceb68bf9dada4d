import { Button, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import type { Params } from '../../api/client';
import { useEvents } from '../../api/hooks';
import type { Filters } from '../../parts/filters';
import { count } from '../../text/number';

/** Whether events that are known to be good are listed too. Only the address knows; naming what lies in the profile asks for all. */
export function listsAll(filters: Filters): boolean {
  return filters.get('show') === 'all' || filters.get('novel') !== '';
}

export function ShownToggle({ filters }: { filters: Filters }) {
  const all = listsAll(filters);
  return (
    <ToggleGroup aria-label="Which events are listed">
      <ToggleGroupItem text="Noteworthy" buttonId="show-noteworthy" isSelected={!all} onChange={() => filters.unset('show', 'novel')} />
      <ToggleGroupItem text="All" buttonId="show-all" isSelected={all} onChange={() => filters.set('show', 'all')} />
    </ToggleGroup>
  );
}

/** Says what the list leaves out, and how many where counting them is cheap. */
export function Hidden({ filters, picked, listed }: { filters: Filters; picked: Params; listed: number | undefined }) {
  const all = listsAll(filters);
  const { total } = useEvents({ ...picked, limit: 1 }, !all);
  if (all) return null;
  const hidden = total === undefined ? undefined : total - (listed ?? 0);
  if (hidden === 0) return <p className="rd-sub">Nothing is hidden: none of these events is a known-good one.</p>;
  return (
    <p className="rd-sub">
      Listed: what was new, raised an alarm, was stopped or got lost. {hidden === undefined ? 'Known-good events are not listed.' : `${count(hidden)} known-good ${hidden === 1 ? 'event is' : 'events are'} hidden.`}{' '}
      <Button variant="link" isInline onClick={() => filters.set('show', 'all')}>Show all</Button>
    </p>
  );
}
