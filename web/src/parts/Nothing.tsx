import { EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useNodes } from '../api/hooks';
import { list } from '../api/types';
import { plural } from '../text/number';
import { CheckCircleIcon, DisconnectedIcon, SearchIcon } from './icons';

interface Props {
  /** "alerts" */
  what: string;
  /** A filter is set, so there may be some that it hides. */
  filtered?: boolean;
  children?: ReactNode;
  actions?: ReactNode;
}

/** An empty list, told apart: hidden by a filter, nobody watched, or nothing happened. */
export function Nothing({ what, filtered, children, actions }: Props) {
  const nodes = useNodes();
  const watching = nodes.items?.filter((n) => n.connected) ?? [];
  const gaps = watching.flatMap((n) => list(n.gaps));
  const blind = nodes.items !== undefined && watching.length === 0;
  if (filtered) {
    return <Empty icon={SearchIcon} title={`No ${what} match`} actions={actions}>Nothing fits this search and these filters. Widen or clear them to see more.</Empty>;
  }
  if (blind) {
    return (
      <Empty icon={DisconnectedIcon} title={`No ${what}, because nobody watches`} actions={<Link to="/nodes">See nodes</Link>}>
        No node reports at the moment, so an empty list does not mean that nothing happened.
      </Empty>
    );
  }
  return (
    <Empty icon={CheckCircleIcon} title={`No ${what}`} actions={actions}>
      {children}
      <p>
        {plural(watching.length, 'node')} {watching.length === 1 ? 'is' : 'are'} watching.{' '}
        {gaps.length > 0 && <Link to="/nodes">{plural(gaps.length, 'thing')} they cannot see</Link>}
      </p>
    </Empty>
  );
}

function Empty({ icon, title, children, actions }: { icon: React.ComponentType; title: string; children: ReactNode; actions?: ReactNode }) {
  return (
    <EmptyState titleText={title} icon={icon} headingLevel="h2" variant="sm">
      <EmptyStateBody>{children}</EmptyStateBody>
      {actions && <EmptyStateFooter><EmptyStateActions>{actions}</EmptyStateActions></EmptyStateFooter>}
    </EmptyState>
  );
}
