import { Bullseye, Spinner } from '@patternfly/react-core';
import { Navigate, Outlet, useLocation } from 'react-router';
import { useSession, useSetup } from '../api/hooks';
import { LiveProvider } from '../api/stream';
import { Failure } from '../parts/Answer';

/** Lets through who is logged in; sends others to set-up or login and back. */
export function Gate() {
  const session = useSession();
  const out = session.data === null;
  const setup = useSetup(out);
  const here = useLocation();
  if (session.data) return <LiveProvider><Outlet /></LiveProvider>;
  const error = session.error ?? (out ? setup.error : null);
  if (error) {
    return <Bullseye className="rd-wait"><Failure error={error} act="Open Redoubt" retry={() => void (session.error ? session : setup).refetch()} /></Bullseye>;
  }
  if (!out || !setup.data) return <Bullseye className="rd-wait"><Spinner aria-label="Opening Redoubt…" /></Bullseye>;
  if (setup.data.needed) return <Navigate to="/setup" replace />;
  const back = here.pathname + here.search;
  return <Navigate to={back === '/' ? '/login' : `/login?next=${encodeURIComponent(back)}`} replace />;
}
