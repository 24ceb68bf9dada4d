import { Form, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useState } from 'react';
import { useEditModel } from '../../api/functions';
import type { NewEntry, UseKind } from '../../api/functionTypes';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { deedText } from '../../text/use';

const kinds: Record<UseKind, [says: string, hint: string]> = {
  exec: ['start a program', 'Its whole path, as in /usr/bin/convert'],
  egress: ['connect to an address', 'HOST:PORT, as in api.example.com:443; *.example.com:443 is any one label'],
  dns: ['look up a name', 'As in api.example.com'],
  aws: ['call AWS', 'SERVICE:ACTION and a resource, as in dynamodb:PutItem table/orders'],
  function: ['invoke a function', 'Its name'],
  bucket: ['use a bucket', 'BUCKET:read or BUCKET:write'],
  queue: ['send to a queue', 'Its name'],
  secret: ['read a secret', 'Its name'],
  read: ['read a file', 'Its whole path'],
  write: ['write a file', 'Its whole path below /tmp; * stands for a part that varies'],
};

/** Adds an entry to a model by hand. The role decides besides. */
export function AllowDialog({ name, close }: { name: string; close: () => void }) {
  const [kind, setKind] = useState<UseKind>('egress');
  const [target, setTarget] = useState('');
  const [note, setNote] = useState('');
  const entry: NewEntry = { kind, target: target.trim(), ...(note.trim() && { note: note.trim() }) };
  return (
    <Ask title={`Allow ${name} something`} yes="Add" change={useEditModel(name)} ready={entry.target !== ''} arg={() => ({ add: [entry] })} close={close}>
      <Form onSubmit={(e) => e.preventDefault()}>
        <FormGroup label="It may" fieldId="allow-kind">
          <FormSelect id="allow-kind" value={kind} onChange={(_, v) => setKind(v as UseKind)}>
            {Object.entries(kinds).map(([k, [says]]) => <FormSelectOption key={k} value={k} label={says} />)}
          </FormSelect>
        </FormGroup>
        <Field id="allow-target" label="Which" value={target} set={setTarget} help={kinds[kind][1]} complete="off" />
        <Field id="allow-note" label="Why" value={note} set={setNote} help="Others read it beside the entry." complete="off" optional />
        {entry.target && <p>The model will hold: <code className="rd-raw">{deedText(entry)}</code>. It works if the function’s role grants it too.</p>}
      </Form>
    </Ask>
  );
}
