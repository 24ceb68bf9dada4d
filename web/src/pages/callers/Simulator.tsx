import { Alert, Button, CodeBlock, CodeBlockCode, Form } from '@patternfly/react-core';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useSimulate } from '../../api/callers';
import type { Simulation } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { accessPolicyPath } from '../../parts/links';
import { Field } from '../../parts/Field';
import { Panel } from '../../parts/Panel';
import { escapeText } from '../../text/escape';
import { policyOf } from '../../text/statement';
import { ActionField, PrincipalField, ResourceField } from './known';

/** May this principal do this? Which statement says so, and what would turn it. */
export function Simulator() {
  const ask = useSimulate();
  const [principal, setPrincipal] = useState('');
  const [action, setAction] = useState('function:Invoke');
  const [resource, setResource] = useState('');
  const [from, setFrom] = useState('');
  const ready = principal.trim() !== '' && action.trim() !== '' && resource.trim() !== '';
  return (
    <div className="rd-two">
      <Panel title="May…">
        <Form onSubmit={(e) => {
          e.preventDefault();
          if (ready) ask.mutate({ principal: principal.trim(), action: action.trim(), resource: resource.trim(), ...(from.trim() && { context: { from: from.trim() } }) });
        }}>
          <PrincipalField id="sim-principal" label="Principal" value={principal} set={setPrincipal} help="user/alice, role/web, function/orders, anonymous; alice alone is a user" />
          <ActionField id="sim-action" label="Action" value={action} set={setAction} />
          <ResourceField id="sim-resource" label="Resource" value={resource} set={setResource} help="function/orders:beta, bucket/photos, …; orders alone is a function" />
          <Field id="sim-from" label="From address" value={from} set={setFrom} optional help="An address, or a network such as 10.0.0.0/8; not known where empty" complete="off" />
          <div><Button type="submit" isDisabled={!ready} isLoading={ask.isPending}>Ask</Button></div>
        </Form>
      </Panel>
      <Panel title="Answer">
        <div role="status" className="rd-stack">
          {ask.error != null && <Failure error={ask.error} act="Ask" />}
          {!ask.error && ask.data && <Answered of={ask.data} />}
          {!ask.error && !ask.data && <p>The policies in force are asked; nothing is called and nothing is changed.</p>}
        </div>
      </Panel>
    </div>
  );
}

function Answered({ of: s }: { of: Simulation }) {
  const changes = list(s.changes);
  return (
    <>
      <Alert isInline variant={s.allow ? 'success' : 'danger'} title={s.allow ? 'Allowed' : 'Denied'}>
        <code className="rd-raw">{escapeText(s.principal)}</code> {s.allow ? 'may' : 'may not'} <code className="rd-raw">{escapeText(s.action)}</code> on <code className="rd-raw">{escapeText(s.resource)}</code>.
      </Alert>
      {!s.known && <Alert isInline isPlain variant="warning" title="This principal is not on record, or is locked out: it cannot prove itself, whatever policies say." />}
      {s.policy
        ? <div><p>Decided by <Link to={accessPolicyPath(policyOf(s.policy))}>{escapeText(s.policy)}</Link>:</p>{s.statement && <Cedar text={s.statement} />}</div>
        : !s.allow && <p>No statement permits it, and what is not permitted is denied.</p>}
      {list(s.errors).map((e) => <p key={e.policy} className="rd-wrong">{escapeText(e.policy)} could not be asked: {escapeText(e.error ?? '')}</p>)}
      {changes.length > 0 && (
        <div className="rd-stack">
          <h3 className="rd-h3">{changes[0]?.kind === 'group' ? 'The smallest change that allows it is the first of these' : 'The smallest change that allows it'}</h3>
          {changes.map((c, i) => (
            <div key={i}>
              <p>{escapeText(c.why)}{c.policy && <> (<Link to={accessPolicyPath(policyOf(c.policy))}>{escapeText(c.policy)}</Link>)</>}</p>
              {c.text && <Cedar text={c.text} />}
              {c.kind === 'add' && c.text && <Write text={c.text} />}
            </div>
          ))}
        </div>
      )}
    </>
  );
}

const Cedar = ({ text }: { text: string }) => <CodeBlock><CodeBlockCode>{text.split('\n').map(escapeText).join('\n')}</CodeBlockCode></CodeBlock>;

function Write({ text }: { text: string }) {
  const navigate = useNavigate();
  return <Button variant="link" isInline onClick={() => void navigate('/callers/policies/+', { state: { cedar: `${text}\n` } })}>Write a policy with it…</Button>;
}
