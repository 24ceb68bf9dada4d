import { Form, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useState } from 'react';
import { useMakeKey } from '../../api/callers';
import type { KeyRequest } from '../../api/functionTypes';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { Time } from '../../parts/Time';
import { Once } from './Once';
import { PrincipalField } from './known';

const kinds: Record<KeyRequest['kind'], string> = { api: 'API key: sent as it is, in a header', access: 'access key: signs requests, as with AWS' };

/** Makes a key and shows its secret, once. */
export function KeyDialog({ principal: own = '', close }: { principal?: string; close: () => void }) {
  const make = useMakeKey();
  const [kind, setKind] = useState<KeyRequest['kind']>('api');
  const [principal, setPrincipal] = useState(own);
  const [name, setName] = useState('');
  const [days, setDays] = useState('90');
  const life = Number(days);
  const wrong = days !== '' && (!Number.isInteger(life) || life < 0 || life > 3650) && 'A whole number of days, at most 3650';
  if (make.data) {
    const k = make.data;
    const secrets: [string, string][] = k.kind === 'access' ? [['Access key id', k.id], ['Secret access key', k.secret]] : [['API key', k.secret]];
    return (
      <Once title={`A key for ${k.principal}`} secrets={secrets} close={close}>
        <p>{k.kind === 'access' ? 'Give both to an AWS SDK, with the gateway as its endpoint.' : <>Send it in the header <code className="rd-raw">X-Api-Key</code>.</>} It is good {k.expires ? <>until <Time at={k.expires} /></> : 'until it is deleted'}.</p>
      </Once>
    );
  }
  return (
    <Ask title="Make a key" yes="Make it" change={make} ready={name.trim() !== '' && !wrong && days !== ''} arg={() => ({ kind, name: name.trim(), days: life, ...(principal && { principal }) })} close={close} stay>
      <Form onSubmit={(e) => e.preventDefault()}>
        <FormGroup label="Kind" fieldId="key-kind">
          <FormSelect id="key-kind" value={kind} onChange={(_, v) => setKind(v as KeyRequest['kind'])}>
            {Object.entries(kinds).map(([k, says]) => <FormSelectOption key={k} value={k} label={says} />)}
          </FormSelect>
        </FormGroup>
        <Field id="key-name" label="What it is for" value={name} set={setName} complete="off" />
        {!own && <PrincipalField id="key-principal" label="Whose" value={principal} set={setPrincipal} optional help="Empty: a principal of its own, key/ID" />}
        <Field id="key-days" label="Days it is good for" value={days} set={setDays} wrong={wrong} help="0: it has no end" type="number" />
      </Form>
    </Ask>
  );
}
