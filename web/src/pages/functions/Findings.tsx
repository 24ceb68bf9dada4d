import { Alert, AlertActionCloseButton, AlertActionLink, Button } from '@patternfly/react-core';
import { useState } from 'react';
import { Link } from 'react-router';
import { useDeleteVersion, useFindings, useSetFunctionState } from '../../api/functions';
import type { Finding } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { ExclamationTriangleIcon } from '../../parts/icons';
import { functionPath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';

const few = 5;

/** What nobody seems to need or is out of date, with the step that ends it. */
export function Findings({ name }: { name?: string }) {
  const findings = useFindings({ function: name });
  const switching = useSetFunctionState();
  const may = useMay('operator');
  const [disabled, setDisabled] = useState<string>();
  const [deleting, setDeleting] = useState<Finding>();
  const [all, setAll] = useState(false);
  const items = list(findings.data?.items);
  const set = (of: string, state: 'active' | 'disabled', reason?: string) =>
    switching.mutate({ name: of, state, ...(reason && { reason }) }, { onSuccess: () => setDisabled(state === 'disabled' ? of : undefined) });
  if (items.length === 0 && !disabled && !switching.error && !findings.error) return null;
  return (
    <Panel title={items.length > 0 ? `${plural(items.length, 'thing')} to tidy up` : 'Tidied up'}>
      <div className="rd-stack">
        {findings.error != null && <Failure error={findings.error} act="Find what is unused" retry={() => void findings.refetch()} />}
        {switching.error != null && <Failure error={switching.error} act="Switch the function" />}
        {disabled && (
          <Alert
            isInline
            isLiveRegion
            variant="success"
            title={`${disabled} is disabled: calls answer 410, code and record stay`}
            actionLinks={<AlertActionLink isLoading={switching.isPending} onClick={() => set(disabled, 'active')}>Undo</AlertActionLink>}
            actionClose={<AlertActionCloseButton onClose={() => setDisabled(undefined)} />}
          />
        )}
        <ul className="rd-list">
          {(all ? items : items.slice(0, few)).map((f) => (
            <li key={`${f.function} ${f.version ?? ''} ${f.trigger ?? ''} ${f.action}`} className="rd-finding">
              <ExclamationTriangleIcon className="rd-warn" />
              <span>{!name && <><Link to={functionPath(f.function)}>{f.function}</Link>: </>}{escapeText(f.text)}</span>
              {may && f.action === 'disable' && <Button variant="secondary" size="sm" isDisabled={switching.isPending} onClick={() => set(f.function, 'disabled', f.text)} aria-label={`Disable ${f.function}`}>Disable</Button>}
              {may && f.action === 'delete-version' && <Button variant="secondary" size="sm" onClick={() => setDeleting(f)} aria-label={`Delete version ${f.version} of ${f.function}`}>Delete…</Button>}
            </li>
          ))}
        </ul>
        {items.length > few && <Button variant="link" isInline aria-expanded={all} onClick={() => setAll(!all)}>{all ? 'Show fewer' : `Show all ${items.length}`}</Button>}
        {deleting?.version && <DeleteVersion name={deleting.function} version={deleting.version} close={() => setDeleting(undefined)} />}
      </div>
    </Panel>
  );
}

/** Asks, then deletes one version for good. */
export function DeleteVersion({ name, version, close }: { name: string; version: number; close: () => void }) {
  return (
    <Ask title={`Delete version ${version} of ${name}`} yes="Delete" danger change={useDeleteVersion()} arg={() => ({ name, version })} close={close}>
      <p>The version and its code are gone; its number is not used again. Records of its calls and what was learned stay. This cannot be undone: to run that code again, deploy it.</p>
    </Ask>
  );
}
