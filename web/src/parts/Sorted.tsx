import { Th } from '@patternfly/react-table';
import type { ThProps } from '@patternfly/react-table';
import type { ReactNode } from 'react';
import type { Filters } from './filters';
import { sortOf } from './sort';

/** A heading by which its table is sorted; the choice stands in the address as "calls" or "-calls". */
export function SortTh({ filters, by, children, first = 'asc' }: { filters: Filters; by: string; children: ReactNode; first?: 'asc' | 'desc' }) {
  const [name, down] = sortOf(filters.get('sort'));
  const sort: ThProps['sort'] = {
    columnIndex: 0,
    sortBy: name === by ? { index: 0, direction: down ? 'desc' : 'asc' } : {},
    onSort: () => filters.set('sort', name === by ? (down ? by : `-${by}`) : first === 'desc' ? `-${by}` : by),
  };
  return <Th sort={sort} modifier="nowrap">{children}</Th>;
}
