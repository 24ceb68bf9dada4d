import { Button } from '@patternfly/react-core';
import type { Status } from '../api/types';
import { useMay } from './may';

const steps: Record<Status, [to: Status, says: string][]> = {
  open: [['acknowledged', 'Acknowledge'], ['resolved', 'Resolve']],
  acknowledged: [['resolved', 'Resolve'], ['open', 'Reopen']],
  resolved: [['open', 'Reopen']],
};

/** The buttons that move an alert or incident to another status. */
export function Triage({ status, move, busy }: { status: Status; move: (to: Status) => void; busy: boolean }) {
  if (!useMay('operator')) return null;
  return (
    <>
      {steps[status].map(([to, says]) => (
        <Button key={to} variant="secondary" isDisabled={busy} onClick={() => move(to)}>{says}</Button>
      ))}
    </>
  );
}
