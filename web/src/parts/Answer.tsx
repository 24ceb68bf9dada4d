import { Alert, AlertActionLink, Bullseye, EmptyState, EmptyStateBody, Spinner } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';

const nextStep: Record<number, string> = {
  0: 'Redoubt tries again by itself; the badge at the top says when it is back.',
  403: 'Ask an administrator for a role that may do this.',
  404: 'It may have been deleted, or the link is old. Go back to the list.',
  429: 'Wait a minute, then try again.',
  500: "Try again; if it stays, look at the console's log.",
  503: 'Try again in a few seconds.',
};

/** An error as a person needs it: what failed, why, and what to do next. */
export function Failure({ error, act, retry }: { error: unknown; act: string; retry?: (() => void) | undefined }) {
  const e = error instanceof ApiError ? error : new ApiError(1, 'Something in this page broke', String(error));
  const step = nextStep[e.status] ?? (e.status >= 500 ? nextStep[500] : undefined);
  return (
    <Alert
      isInline
      variant="danger"
      title={`${act}: ${e.title}`}
      actionLinks={retry && <AlertActionLink onClick={retry}>Try again</AlertActionLink>}
    >
      {e.detail && <p>{e.detail}</p>}
      {e.errors.map((p, i) => <p key={i}>{[p.location, p.message].filter(Boolean).join(': ')}</p>)}
      {step && <p>{step}</p>}
    </Alert>
  );
}

interface Asked<T> { data?: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown }

/** Shows what a query answered, or that it is on its way, or why it failed. */
export function Answer<T>({ of, act, children }: { of: Asked<T>; act: string; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) {
    return (
      <>
        {of.error != null && <Failure error={of.error} act="What you see may be old" retry={() => void of.refetch()} />}
        {children(of.data)}
      </>
    );
  }
  if (of.error) return <Failure error={of.error} act={act} retry={() => void of.refetch()} />;
  return <Bullseye className="rd-wait"><Spinner aria-label={`${act}…`} /></Bullseye>;
}

/** A full page in place of one that does not exist. */
export function NoSuchPage() {
  return (
    <EmptyState titleText="There is no such page" headingLevel="h1">
      <EmptyStateBody>The link may be old. Use the navigation to find what you look for.</EmptyStateBody>
    </EmptyState>
  );
}
