import { Button, Form, PageSection } from '@patternfly/react-core';
import { useState } from 'react';
import { useLocation, useNavigate, useParams } from 'react-router';
import { checkAccess, useAccessPolicy, usePutAccessPolicy } from '../../api/callers';
import type { AccessPolicy as Data } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Crumbs } from '../../parts/Crumbs';
import { Editor } from '../../parts/Editor';
import { Field } from '../../parts/Field';
import { Head } from '../../parts/Head';
import { accessPolicyPath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { Served } from '../../parts/Served';
import { Time } from '../../parts/Time';
import { useTried } from '../../parts/useTried';
import { escapeText } from '../../text/escape';
import { DeleteAccessPolicy } from './AccessPolicies';
import { AccessHistory } from './AccessHistory';

const template = `// Who may do what. A forbid wins over every permit.
permit (
  principal in Group::"shop",
  action == Action::"function:Invoke",
  resource == Function::"orders"
);
`;

export default function AccessPolicy() {
  const { name = '' } = useParams();
  const fresh = name === '+';
  const policy = useAccessPolicy(name, !fresh);
  const given = (useLocation().state as { cedar?: string } | null)?.cedar;
  if (fresh) return <Write source={given ?? template} />;
  if (policy.data) return <Write key={policy.data.id} of={policy.data} source={policy.data.cedar} />;
  return (
    <>
      <Head title={escapeText(name)} crumbs={<Crumbs to="/callers?tab=policies" list="Access policies" here={escapeText(name)} />} />
      <PageSection isFilled><Served of={policy} act="Read the access policy">{() => null}</Served></PageSection>
    </>
  );
}

function Write({ of: p, source }: { of?: Data; source: string }) {
  const [cedar, setCedar] = useState(source);
  const [name, setName] = useState(p?.id ?? '');
  const [description, setDescription] = useState(p?.description ?? '');
  const [base, setBase] = useState({ cedar: source, description: p?.description ?? '', revision: p?.revision ?? 0 });
  const [deleting, setDeleting] = useState(false);
  const save = usePutAccessPolicy();
  const navigate = useNavigate();
  const may = useMay('admin');
  const badName = name !== '' && !/^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$/.test(name) && 'Small letters, digits and inner dashes';
  const tried = useTried('access', cedar, (text) => checkAccess({ source: text, format: 'cedar', name: 'unnamed' }), cedar.trim() !== '');
  const problems = list(tried.data?.problems).map((x) => ({ ...x, line: x.line ?? 1 }));
  const same = p && cedar === base.cedar && description === base.description;
  const store = () => save.mutate(
    { name, cedar, description: description.trim(), ...(p?.disabled && { disabled: true }), revision: base.revision },
    {
      onSuccess: (d) => {
        setBase({ cedar, description, revision: d.revision });
        if (!p) void navigate(accessPolicyPath(d.id), { replace: true });
      },
    },
  );
  return (
    <>
      <Head
        title={p ? escapeText(p.id) : 'New access policy'}
        crumbs={<Crumbs to="/callers?tab=policies" list="Access policies" here={escapeText(p?.id ?? 'New')} />}
        actions={may && (
          <>
            <Button onClick={store} isLoading={save.isPending} isDisabled={save.isPending || name === '' || !!badName || problems.length > 0 || tried.trying || cedar.trim() === '' || same}>Save</Button>
            {p && <Button variant="secondary" isDanger onClick={() => setDeleting(true)}>Delete…</Button>}
          </>
        )}
      >
        {p ? <>{p.disabled && 'disabled, '}revision {p.revision}{p.by && ` by ${escapeText(p.by)}`}, <Time at={p.updated} /></> : 'Saving puts it in force at once.'}
      </Head>
      <PageSection isFilled>
        <div className="rd-stack">
          {save.error != null && <Failure error={save.error} act="Save the access policy" />}
          <div className="rd-two rd-writing">
            <Editor label="Access policy in Cedar" source={cedar} set={setCedar} problems={problems} readOnly={!may} />
            <Panel title="About it">
              <Form onSubmit={(e) => e.preventDefault()}>
                {!p && <Field id="access-name" label="Name" value={name} set={setName} wrong={badName} complete="off" />}
                <Field id="access-description" label="What it is for" value={description} set={setDescription} optional complete="off" />
              </Form>
              <div className="rd-sub rd-reason">
                <p>Principals: <code className="rd-raw">User, Role, Function, Key, Service, Anonymous</code>, each in <code className="rd-raw">Group</code>s.</p>
                <p>Resources: <code className="rd-raw">Function, FunctionVersion, Bucket, Object, Queue, Topic, Secret, Route, Role</code>.</p>
                <p>Conditions see <code className="rd-raw">context.ip, context.time, context.mtls, context.route, context.stage, context.source</code> and more.</p>
              </div>
            </Panel>
          </div>
          {p && <Panel title="History"><AccessHistory name={p.id} take={may ? setCedar : undefined} /></Panel>}
        </div>
      </PageSection>
      {deleting && p && <DeleteAccessPolicy name={p.id} close={() => setDeleting(false)} done={() => void navigate('/callers?tab=policies')} />}
    </>
  );
}
