import { EmptyState, EmptyStateBody } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';
import { Answer } from './Answer';
import { BanIcon } from './icons';

interface Asked<T> { data?: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown }

/** An Answer about functions: a console that has none says so, and what to do. */
export function Served<T>({ of, act, children }: { of: Asked<T>; act: string; children: (data: T) => ReactNode }) {
  if (off(of.error)) return <NoFunctions why={(of.error as ApiError).detail} />;
  return <Answer of={of} act={act}>{children}</Answer>;
}

/** Whether the console refused because it has no functions at all. */
export const off = (error: unknown) => error instanceof ApiError && error.status === 501;

function NoFunctions({ why }: { why: string }) {
  return (
    <EmptyState titleText="This console has no functions" icon={BanIcon} headingLevel="h2" variant="sm">
      <EmptyStateBody>
        <p>{why}</p>
        <p>Everything else here works as before. To run functions, start <code className="rd-raw">redoubt up</code> on a Linux machine and open the console of that machine.</p>
      </EmptyStateBody>
    </EmptyState>
  );
}
