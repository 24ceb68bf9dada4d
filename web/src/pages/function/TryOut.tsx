import { Alert, Button, FormGroup, FormSelect, FormSelectOption, Switch } from '@patternfly/react-core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useInvoke } from '../../api/functions';
import type { FnDetail, Invoked } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Editor } from '../../parts/Editor';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { pretty } from '../../text/diff';
import { escapeText } from '../../text/escape';
import { jsonProblem } from '../../text/json';
import { aliasesOf } from './aliases';
import { Record } from './Record';

/** Calls the function with a text, as oneself, and shows answer and record. */
export function TryOut({ of: f }: { of: FnDetail }) {
  const [event, setEvent] = useState('{}');
  const [qualifier, setQualifier] = useState('');
  const [later, setLater] = useState(false);
  const invoke = useInvoke(f.id);
  const may = useMay('operator');
  const problem = event.trim() === '' ? undefined : jsonProblem(event);
  if (!may) return <p>Calling a function takes the role of an operator or administrator.</p>;
  return (
    <div className="rd-two">
      <Panel title="Event">
        <div className="rd-stack">
          <p className="rd-sub">The call is made as you, is authorized and recorded like any other, and its effects are real.</p>
          <Editor label="Event as JSON" source={event} set={setEvent} problems={problem ? [problem] : []} least={10} />
          <FormGroup label="Version or alias" fieldId="try-qualifier">
            <FormSelect id="try-qualifier" value={qualifier} onChange={(_, v) => setQualifier(v)}>
              <FormSelectOption value="" label="live" />
              {aliasesOf(f.record).filter((a) => a.name !== 'live').map((a) => <FormSelectOption key={a.name} value={a.name} label={a.name} />)}
              {list(f.record.versions).map((v) => <FormSelectOption key={v.number} value={v.number} label={`version ${v.number}`} />)}
            </FormSelect>
          </FormGroup>
          <Switch label="Do not wait: queue the call, try again if it fails" isChecked={later} onChange={(_, on) => setLater(on)} />
          <div>
            <Button
              isDisabled={!!problem || invoke.isPending}
              isLoading={invoke.isPending}
              onClick={() => invoke.mutate({ payload: event.trim(), ...(qualifier && { qualifier }), ...(later && { async: true }) })}
            >
              Invoke
            </Button>
          </div>
        </div>
      </Panel>
      <Panel title="Answer">
        <div role="status" className="rd-stack">
          {invoke.error != null && <Failure error={invoke.error} act="Invoke the function" />}
          {invoke.error != null && <p className="rd-sub">A call that is denied names what decided. <Link to="/callers?tab=simulator">The simulator</Link> says what would turn it.</p>}
          {!invoke.error && invoke.data && <Answered of={invoke.data} />}
          {!invoke.error && !invoke.data && <p>Nothing was called yet.</p>}
        </div>
      </Panel>
    </div>
  );
}

function Answered({ of: { record, payload, lines } }: { of: Invoked }) {
  if (record.async) {
    return <Alert isInline variant="info" title="The call is queued">Its record appears under Invocations when it has run: <code className="rd-raw">{record.id}</code></Alert>;
  }
  return (
    <>
      <pre className="rd-answer" tabIndex={0} aria-label="The answer">{pretty(payload).split('\n').map(escapeText).join('\n') || '(empty)'}</pre>
      <Record of={record} lines={list(lines)} />
    </>
  );
}
