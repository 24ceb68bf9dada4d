import { Button, PageSection } from '@patternfly/react-core';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import type { Route as Data } from '../../api/functionTypes';
import { tryRoutes, useRoute, useWriteRoutes } from '../../api/gateway';
import { list } from '../../api/types';
import type { Problem } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Crumbs } from '../../parts/Crumbs';
import { Editor } from '../../parts/Editor';
import { Head } from '../../parts/Head';
import { functionPath, routePath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { problemsOf } from '../../parts/problems';
import { Served } from '../../parts/Served';
import { useTried } from '../../parts/useTried';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { nameOf } from '../../text/yaml';
import { DeleteRoute } from './Gateway';
import { AuthLabel, FirewallLabel } from './labels';
import { limitsText, routeSource, targetText } from './source';

const template = `apiVersion: redoubt/v1
kind: Route
metadata:
  name: orders-read
  description: What this is for
spec:
  method: GET # any where left out
  path: /orders/{id} # {rest...} at the end takes all that follows
  target:
    function: orders
    alias: live # or version: 3, or weights for a canary of this route alone
  auth: iam # key, jwt or none
  limits:
    rate: 20 # requests a second of one caller
  firewall:
    mode: alert # prevent refuses attacks
`;

export default function Route() {
  const { id = '' } = useParams();
  const fresh = id === '+';
  const route = useRoute(id, !fresh);
  if (fresh) return <Write source={template} />;
  if (route.data) return <Write key={route.data.id} of={route.data} source={routeSource(route.data)} />;
  return (
    <>
      <Head title={escapeText(id)} crumbs={<Crumbs to="/gateway" list="Gateway" here={escapeText(id)} />} />
      <PageSection isFilled><Served of={route} act="Read the route">{() => null}</Served></PageSection>
    </>
  );
}

function Write({ of: r, source: saved }: { of?: Data; source: string }) {
  const [source, setSource] = useState(saved);
  const [base, setBase] = useState(saved);
  const [deleting, setDeleting] = useState(false);
  const write = useWriteRoutes();
  const navigate = useNavigate();
  const may = useMay('operator') && !r?.owner;
  const tried = useTried('route', source, tryRoutes, may);
  const found: Problem[] = list(write.data?.problems ?? tried.data?.problems).map((p) => ({ ...p, line: p.line ?? 1 }));
  const problems = found.length > 0 ? found : problemsOf(tried.error);
  const own = nameOf(source);
  const store = () => write.mutate(source, {
    onSuccess: (done) => {
      if (!done.written) return;
      setBase(source);
      const first = list(done.routes)[0];
      if (first && first.id !== r?.id) void navigate(routePath(first.id), { replace: true });
    },
  });
  return (
    <>
      <Head
        title={r ? escapeText(r.id) : 'New route'}
        crumbs={<Crumbs to="/gateway" list="Gateway" here={escapeText(r?.id ?? 'New')} />}
        actions={may && (
          <>
            <Button onClick={store} isLoading={write.isPending} isDisabled={write.isPending || !own || problems.length > 0 || tried.trying || (!!r && source === base)}>Save</Button>
            {r && <Button variant="secondary" isDanger onClick={() => setDeleting(true)}>Delete…</Button>}
          </>
        )}
      >
        {r?.owner ? <>The http trigger of <Link to={functionPath(r.owner)}>{r.owner}</Link> made this; deploy the function to change it.</> : 'Saving puts it in force at once. Several documents, divided by ---, are saved together or not at all.'}
      </Head>
      <PageSection isFilled>
        <div className="rd-stack">
          {write.error != null && <Failure error={write.error} act="Save the route" />}
          {r && own && own !== r.id && <p className="rd-only">The document’s name is now <code className="rd-raw">{escapeText(own)}</code>: saving makes a second route and leaves {escapeText(r.id)} as it is.</p>}
          <div className="rd-two rd-writing">
            <Editor label="Route as YAML" source={source} set={(s) => { setSource(s); write.reset(); }} problems={problems} readOnly={!may} />
            <Panel title="What it does">
              <div role="status">
                {problems.length > 0 ? <p>{plural(problems.length, 'problem')} to solve first.</p> : (
                  <ul className="rd-list">{(tried.data ? list(tried.data.routes) : r ? [r] : []).map((x) => <Does key={x.id} of={x} />)}</ul>
                )}
              </div>
            </Panel>
          </div>
        </div>
      </PageSection>
      {deleting && r && <DeleteRoute id={r.id} close={() => setDeleting(false)} done={() => void navigate('/gateway')} />}
    </>
  );
}

function Does({ of: r }: { of: Data }) {
  return (
    <li className="rd-row">
      <p><code className="rd-raw"><strong>{r.method || 'ANY'}</strong> {escapeText(`${r.host ?? ''}${r.path}`)}</code> → <code className="rd-raw">{escapeText(targetText(r))}</code></p>
      <p className="rd-row-labels"><AuthLabel of={r.auth} /> <FirewallLabel of={r.firewall?.mode} /> <span className="rd-sub">{limitsText(r) || 'not limited'}{r.timeout ? `, ends after ${r.timeout} s` : ''}</span></p>
    </li>
  );
}
