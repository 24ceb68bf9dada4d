import { Button, PageSection, Tab, Tabs, TabTitleText } from '@patternfly/react-core';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { ApiError } from '../../api/client';
import { usePolicy, useSavePolicy } from '../../api/hooks';
import { Answer, Failure } from '../../parts/Answer';
import { Crumbs } from '../../parts/Crumbs';
import { Editor } from '../../parts/Editor';
import { useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { policyPath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { problemsOf } from '../../parts/problems';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { nameOf } from '../../text/yaml';
import { DeletePolicy } from './changes';
import { History } from './History';
import { PreviewPanel } from './PreviewPanel';
import { usePreview } from './usePreview';

const template = `apiVersion: redoubt/v1
kind: Policy
metadata:
  name: new-policy
  description: What this is for
spec:
  scope:
    workloads: ["docker/nginx"] # ids or names; leave out for all
  rules:
    - name: no-network-tools
      exec:
        paths: ["/usr/bin/netstat", "/usr/bin/ss"]
      effect: prevent # ignore, alert, prevent, block or isolate
`;

export default function Policy() {
  const { name = '' } = useParams();
  const fresh = name === '+';
  const policy = usePolicy(name, !fresh);
  if (fresh) return <Write source={template} />;
  if (policy.data) return <Write key={policy.data.id} name={name} source={policy.data.source} revision={policy.data.revision} by={<>revision {policy.data.revision} by {policy.data.author}, <Time at={policy.data.time} /></>} />;
  const gone = policy.error instanceof ApiError && policy.error.status === 404;
  return (
    <>
      <Head title={escapeText(name)} crumbs={<Crumbs to="/policies" list="Policies" here={escapeText(name)} />} />
      <PageSection isFilled>
        <div className="rd-stack">
          <Answer of={policy} act="Read the policy">{() => null}</Answer>
          {gone && <Panel title="What it said before it was deleted"><History name={name} /></Panel>}
        </div>
      </PageSection>
    </>
  );
}

function Write({ name, source: saved, revision, by }: { name?: string; source: string; revision?: number; by?: React.ReactNode }) {
  const [source, setSource] = useState(saved);
  const [base, setBase] = useState({ source: saved, revision });
  const [deleting, setDeleting] = useState(false);
  const filters = useFilters();
  const past = !!name && filters.get('tab') === 'history';
  const save = useSavePolicy();
  const navigate = useNavigate();
  const may = useMay('operator');
  const preview = usePreview(source);
  const problems = save.error ? problemsOf(save.error, preview.problems) : preview.problems;
  const own = nameOf(source);
  const elsewhere = saved !== base.source && (revision ?? 0) > (base.revision ?? 0);
  const store = () => {
    if (!own) return;
    save.mutate({ name: own, source }, {
      onSuccess: (d) => {
        setBase({ source, revision: d.revision });
        if (d.id !== name) void navigate(policyPath(d.id), { replace: true });
      },
    });
  };
  return (
    <>
      <Head
        title={name ? escapeText(name) : 'New policy'}
        crumbs={<Crumbs to="/policies" list="Policies" here={escapeText(name ?? 'New')} />}
        actions={may && (
          <>
            <Button onClick={store} isLoading={save.isPending} isDisabled={save.isPending || !own || preview.problems.length > 0 || (source === base.source && !!name)}>Save</Button>
            {name && <Button variant="secondary" isDanger onClick={() => setDeleting(true)}>Delete…</Button>}
          </>
        )}
      >
        {by ?? 'Saving puts it in force on every node within a second.'}
      </Head>
      <PageSection isFilled>
        <div className="rd-stack">
          {elsewhere && <p className="rd-only">Somebody saved revision {revision} meanwhile. <Button variant="link" isInline onClick={() => { setSource(saved); setBase({ source: saved, revision }); }}>Take theirs</Button> or save to replace it.</p>}
          {name && own && own !== name && <p className="rd-only">The document’s name is now <code className="rd-raw">{escapeText(own)}</code>: saving makes a second policy and leaves {escapeText(name)} as it is.</p>}
          {save.error != null && <Failure error={save.error} act="Save the policy" />}
          {name && (
            <Tabs activeKey={past ? 'history' : 'document'} onSelect={(_, key) => filters.set('tab', key === 'history' ? 'history' : '')} aria-label="Views of the policy">
              <Tab eventKey="document" tabContentId="view" title={<TabTitleText>Document</TabTitleText>} />
              <Tab eventKey="history" tabContentId="view" title={<TabTitleText>History</TabTitleText>} />
            </Tabs>
          )}
          <div id="view" {...(name && { role: 'tabpanel', tabIndex: 0, 'aria-label': past ? 'History' : 'Document' })}>
            {past && name ? <History name={name} now={revision} restored={(text) => { setSource(text); setBase({ source: text, revision: (revision ?? 0) + 1 }); }} /> : (
              <div className="rd-two rd-writing">
                <Editor label="Policy as YAML" source={source} set={setSource} problems={problems} readOnly={!may} />
                <PreviewPanel of={preview} />
              </div>
            )}
          </div>
        </div>
      </PageSection>
      {deleting && name && <DeletePolicy name={name} close={() => setDeleting(false)} done={() => void navigate('/policies')} />}
    </>
  );
}
