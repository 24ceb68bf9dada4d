import { Checkbox, Form } from '@patternfly/react-core';
import { useState } from 'react';
import { useMakeAccessToken } from '../../api/callers';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { Time } from '../../parts/Time';
import { Once } from './Once';

/** Makes a short-lived token of a principal, to try something as it. */
export function TokenDialog({ principal, close }: { principal: string; close: () => void }) {
  const make = useMakeAccessToken();
  const [ttl, setTtl] = useState('15m');
  const [audience, setAudience] = useState('');
  const [once, setOnce] = useState(false);
  if (make.data) {
    return (
      <Once title={`A token of ${make.data.principal}`} secrets={[['Token', make.data.secret]]} close={close}>
        <p>Send it as <code className="rd-raw">Authorization: Bearer …</code>. It ends <Time at={make.data.expires} /> and is for {make.data.audience} alone.</p>
      </Once>
    );
  }
  return (
    <Ask title={`Make a token of ${principal}`} yes="Make it" change={make} ready={/^\d+[ms]$/.test(ttl)} arg={() => ({ id: principal, ttl, ...(audience.trim() && { audience: audience.trim() }), ...(once && { once: true }) })} close={close} stay>
      <Form onSubmit={(e) => e.preventDefault()}>
        <p>Whoever holds it is {principal} until it ends.</p>
        <Field id="token-ttl" label="How long" value={ttl} set={setTtl} help="As 5m or 30s; 15m is the longest" complete="off" />
        <Field id="token-audience" label="For whom" value={audience} set={setAudience} optional help="The gateway where empty" complete="off" />
        <Checkbox id="token-once" label="It works for one call" isChecked={once} onChange={(_, on) => setOnce(on)} />
      </Form>
    </Ask>
  );
}
