import { Form, FormGroup, TextArea } from '@patternfly/react-core';
import { useState } from 'react';
import type { OpenAPIRequest } from '../../api/functionTypes';
import { tryOpenAPI, useImportOpenAPI } from '../../api/gateway';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { useTried } from '../../parts/useTried';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { targetText } from './source';

/** Makes routes of an OpenAPI document; shows which before it does. */
export function ImportOpenAPI({ close }: { close: () => void }) {
  const [source, setSource] = useState('');
  const [fn, setFn] = useState('');
  const [stage, setStage] = useState('');
  const write = useImportOpenAPI();
  const body = (text: string): OpenAPIRequest => ({ source: text, ...(fn && { function: fn }), ...(stage && { stage }) });
  const tried = useTried(`openapi ${fn} ${stage}`, source, (text) => tryOpenAPI(body(text)), source.trim() !== '');
  const routes = list(tried.data?.routes);
  const problems = list(tried.data?.problems);
  const read = async (file: File | undefined) => file && setSource(await file.text());
  return (
    <Ask title="Import OpenAPI" yes={routes.length > 0 ? `Write ${plural(routes.length, 'route')}` : 'Write routes'} change={write} arg={() => body(source)} ready={source.trim() !== '' && !tried.trying && !tried.error && problems.length === 0 && routes.length > 0} close={close}>
      <Form onSubmit={(e) => e.preventDefault()}>
        <FormGroup label="Document (OpenAPI 3, JSON or YAML)" fieldId="openapi-source">
          <TextArea id="openapi-source" className="rd-json" value={source} onChange={(_, v) => setSource(v)} rows={9} resizeOrientation="vertical" spellCheck={false} />
          <input type="file" aria-label="Read the document from a file" accept=".json,.yaml,.yml" onChange={(e) => void read(e.target.files?.[0])} className="rd-file" />
        </FormGroup>
        <Field id="openapi-function" label="Function of operations that name none" value={fn} set={setFn} optional />
        <Field id="openapi-stage" label="Stage" value={stage} set={setStage} optional help="live where empty" />
      </Form>
      {source.trim() !== '' && (
        <div role="status" className="rd-reason">
          {tried.error != null && <Failure error={tried.error} act="Read the document" />}
          {problems.length > 0 && <ul className="rd-bullets rd-wrong">{problems.map((p, i) => <li key={i}>{escapeText([p.path, p.message].filter(Boolean).join(': '))}</li>)}</ul>}
          {!tried.error && routes.length > 0 && (
            <>
              <p>{plural(routes.length, 'route')} would be written; those of the same name are replaced:</p>
              <ul className="rd-bullets">{routes.slice(0, 30).map((r) => <li key={r.id}><code className="rd-raw">{r.method || 'ANY'} {escapeText(r.path)}</code> → {escapeText(targetText(r))}</li>)}</ul>
              {routes.length > 30 && <p className="rd-sub">and {routes.length - 30} more</p>}
            </>
          )}
          {list(tried.data?.notes).map((n, i) => <p key={i} className="rd-sub">{n.where && `${escapeText(n.where)}: `}{escapeText(n.text)}{n.skipped && ' (became no route)'}</p>)}
        </div>
      )}
    </Ask>
  );
}
