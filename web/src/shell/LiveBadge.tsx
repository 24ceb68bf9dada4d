import { Button } from '@patternfly/react-core';
import { useLive } from '../api/stream';
import type { Live } from '../api/stream';
import { ConnectedIcon, DisconnectedIcon, PauseIcon } from '../parts/icons';

const look: Record<Live, { icon: React.ReactNode; says: string; does: string }> = {
  live: { icon: <ConnectedIcon />, says: 'live', does: 'What you see follows the console. Press to pause.' },
  paused: { icon: <PauseIcon />, says: 'paused', does: 'What you see stands still. Press to follow again.' },
  offline: { icon: <DisconnectedIcon />, says: 'offline', does: 'No connection to the console; trying again. What you see may be old.' },
};

/** Says whether the page follows the console, and pauses it. */
export function LiveBadge() {
  const { live, pause } = useLive();
  const { icon, says, does } = look[live];
  return (
    <>
      <Button
        variant="plain"
        className={`rd-live rd-live-${live}`}
        icon={icon}
        title={does}
        aria-label={`Updates: ${says}. ${does}`}
        onClick={() => pause(live !== 'paused')}
      >
        {says}
      </Button>
      <span className="pf-v6-screen-reader" role="status">{`Updates are ${says}`}</span>
    </>
  );
}
