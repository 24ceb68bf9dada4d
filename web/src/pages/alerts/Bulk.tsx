import { Alert, AlertActionCloseButton, Button } from '@patternfly/react-core';
import { useState } from 'react';
import { useTriageAlert } from '../../api/hooks';
import type { Status } from '../../api/types';
import { plural } from '../../text/number';

const acts: [Status, string][] = [['acknowledged', 'Acknowledge'], ['resolved', 'Resolve'], ['open', 'Reopen']];

/** Moves many alerts at once and says how that went. */
export function Bulk({ ids, clear }: { ids: string[]; clear: () => void }) {
  const triage = useTriageAlert();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState<{ done: number; failed: number; status: Status }>();
  const move = async (status: Status) => {
    setBusy(true);
    let done = 0;
    for (const id of ids) {
      await triage.mutateAsync({ id, status }).then(() => done++, () => undefined);
    }
    setBusy(false);
    setSaid({ done, failed: ids.length - done, status });
    clear();
  };
  return (
    <>
      {ids.length > 0 && (
        <div className="rd-bulk" role="group" aria-label="Chosen alerts">
          <span>{plural(ids.length, 'alert')} chosen</span>
          {acts.map(([status, says]) => <Button key={status} size="sm" variant="secondary" isDisabled={busy} onClick={() => void move(status)}>{says}</Button>)}
          <Button size="sm" variant="link" isDisabled={busy} onClick={clear}>Clear choice</Button>
        </div>
      )}
      {said && (
        <Alert
          isInline
          isLiveRegion
          variant={said.failed ? 'warning' : 'success'}
          title={`${plural(said.done, 'alert')} now ${said.status}${said.failed ? `, ${said.failed} could not be changed: choose them again and retry` : ''}`}
          actionClose={<AlertActionCloseButton onClose={() => setSaid(undefined)} />}
        />
      )}
    </>
  );
}
