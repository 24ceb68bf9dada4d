import { Button } from '@patternfly/react-core';
import { useState } from 'react';
import { useAlertWhy, useAllow, usePrevent } from '../api/hooks';
import type { Alert } from '../api/types';
import { Answer } from './Answer';
import { Ask } from './Ask';
import { ChangeView } from './ChangeView';
import { useMay } from './may';

/** The two answers to an alert: allow exactly this, or prevent it from now on. */
export function Decide({ alert }: { alert: Alert }) {
  const [asking, setAsking] = useState<'allow' | 'prevent'>();
  const may = useMay('operator');
  const close = () => setAsking(undefined);
  if (!may) return null;
  return (
    <>
      <Button variant="secondary" onClick={() => setAsking('allow')}>Allow this…</Button>
      {outcome[alert.kind] && <Button variant="primary" onClick={() => setAsking('prevent')}>Prevent this from now on…</Button>}
      {asking === 'allow' && <AllowDialog alert={alert} close={close} />}
      {asking === 'prevent' && <PreventDialog alert={alert} close={close} />}
    </>
  );
}

function AllowDialog({ alert, close }: { alert: Alert; close: () => void }) {
  const why = useAlertWhy(alert.id);
  const allow = useAllow();
  return (
    <Ask title="Allow this" yes="Write this" change={allow} arg={() => alert.id} close={close} ready={!!why.data?.allow}>
      <Answer of={why} act="Work out the smallest change">
        {(e) => e.allow ? <ChangeView of={e.allow} /> : <p>No single entry or rule would allow this. {e.advice}</p>}
      </Answer>
    </Ask>
  );
}

function PreventDialog({ alert, close }: { alert: Alert; close: () => void }) {
  const why = useAlertWhy(alert.id);
  return (
    <Ask title="Prevent this from now on" yes="Write the rule" change={usePrevent()} arg={() => alert.id} close={close} ready={!!why.data?.prevent}>
      <Answer of={why} act="Work out the smallest rule">
        {(e) => e.prevent ? (
          <>
            <ChangeView of={e.prevent} />
            <p className="rd-only">{outcome[alert.kind]} The workload keeps running and its other behaviour stays as it is. You find the rule under Policies and can change or delete it there.</p>
          </>
        ) : <p>No rule can prevent this: what was seen does not say enough about itself. You can isolate the workload instead.</p>}
      </Answer>
    </Ask>
  );
}

const outcome: Record<string, string> = {
  exec: 'The next such program does not run a single instruction.',
  connect: 'The next such connection fails at once.',
  listen: 'The next such listening socket is refused, where the node can do that.',
};
