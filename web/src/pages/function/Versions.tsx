import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useDeleteAlias, useRollback, useUsage } from '../../api/functions';
import type { FnDetail, FnVersion, Weight } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { sum } from '../../parts/series';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { bytes, count, plural } from '../../text/number';
import { DeleteVersion } from '../functions/Findings';
import { AliasDialog } from './AliasDialog';
import { aliasesOf, sharesText } from './aliases';
import { Shares } from './Shares';

/** The function's aliases and its versions, and moving the one among the other. */
export function Versions({ of: f }: { of: FnDetail }) {
  return (
    <div className="rd-stack">
      <Aliases of={f} />
      <Panel title="Versions"><Rows of={f} /></Panel>
    </div>
  );
}

type Asked = { what: 'edit'; alias: string; to?: Weight[] } | { what: 'rollback' | 'delete'; alias: string };

function Aliases({ of: f }: { of: FnDetail }) {
  const [asked, setAsked] = useState<Asked>();
  const may = useMay('operator');
  const close = () => setAsked(undefined);
  const rollback = useRollback(f.id);
  const remove = useDeleteAlias(f.id);
  const aliases = aliasesOf(f.record);
  const current = asked && aliases.find((a) => a.name === asked.alias);
  return (
    <Panel title="Aliases" actions={may && <Button variant="secondary" onClick={() => setAsked({ what: 'edit', alias: '' })}>New alias…</Button>}>
      <div className="rd-stack">
        {aliases.map((a) => (
          <div key={a.name} className="rd-alias">
            <div className="rd-spread">
              <span><code className="rd-raw">{escapeText(a.name)}</code> {a.name === 'live' && <span className="rd-sub">what callers get who name none</span>}</span>
              {may && (
                <span className="rd-actions">
                  <Button variant="link" isInline onClick={() => setAsked({ what: 'edit', alias: a.name })} aria-label={`Change ${a.name}`}>Change…</Button>
                  {a.previous.length > 0 && <Button variant="link" isInline onClick={() => setAsked({ what: 'rollback', alias: a.name })} aria-label={`Roll back to ${sharesText(a.previous)}…: ${a.name}`}>Roll back to {sharesText(a.previous)}…</Button>}
                  {a.name !== 'live' && <Button variant="link" isInline isDanger onClick={() => setAsked({ what: 'delete', alias: a.name })} aria-label={`Delete ${a.name}`}>Delete…</Button>}
                </span>
              )}
            </div>
            <Shares of={a.weights} label={`Shares of the calls of ${a.name}`} />
          </div>
        ))}
      </div>
      {asked?.what === 'edit' && <AliasDialog of={f} alias={asked.alias} weights={current?.weights ?? []} close={close} />}
      {asked?.what === 'rollback' && current && (
        <Ask title={`Roll ${asked.alias} back`} yes="Roll back" change={rollback} arg={() => ({ alias: asked.alias, revision: f.revision })} close={close}>
          <p>From the next call on <code className="rd-raw">{asked.alias}</code> is {sharesText(current.previous)} instead of {sharesText(current.weights)}. Calls that run end as they are. Rolling back once more goes forward again.</p>
        </Ask>
      )}
      {asked?.what === 'delete' && (
        <Ask title={`Delete the alias ${asked.alias}`} yes="Delete" danger change={remove} arg={() => asked.alias} close={close}>
          <p>Callers and routes that name <code className="rd-raw">{asked.alias}</code> are answered 404. The versions stay.</p>
        </Ask>
      )}
    </Panel>
  );
}

function Rows({ of: f }: { of: FnDetail }) {
  const [moving, setMoving] = useState<number>();
  const [deleting, setDeleting] = useState<number>();
  const may = useMay('operator');
  const usage = useUsage({ function: f.id, since: '24h', by: 'version' });
  const aliases = aliasesOf(f.record);
  const callsOf = (v: number) => sum(list(usage.data?.items).filter((u) => u.version === v), (u) => u.calls);
  return (
    <>
      <Table aria-label="Versions" variant="compact" gridBreakPoint="grid-lg">
        <Thead><Tr><Th>Version</Th><Th>Deployed</Th><Th>Runtime</Th><Th>Code</Th><Th>Calls, last day</Th><Th>Hints</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
        <Tbody>
          {list(f.record.versions).map((v) => {
            const behind = aliases.filter((a) => a.weights.some((w) => w.version === v.number));
            return (
              <Tr key={v.number}>
                <Td dataLabel="Version">{v.number} {behind.map((a) => <Label key={a.name} isCompact color={a.name === 'live' ? 'green' : 'blue'} className="rd-label">{a.name}{share(a.weights, v.number)}</Label>)}</Td>
                <Td dataLabel="Deployed"><Time at={v.created} /> <span className="rd-sub">by {escapeText(v.by)}</span></Td>
                <Td dataLabel="Runtime">{v.spec.runtime} {v.spec.language} {v.spec.handler && <div className="rd-sub"><code className="rd-raw">{escapeText(v.spec.handler)}</code></div>}</Td>
                <Td dataLabel="Code"><Code of={v} /></Td>
                <Td dataLabel="Calls, last day">{count(callsOf(v.number))}</Td>
                <Td dataLabel="Hints" modifier="breakWord">{list(f.hints[v.number]).map((h) => <div key={h} className="rd-sub">{escapeText(h)}</div>)}</Td>
                {may && (
                  <Td>
                    <span className="rd-actions">
                      {!aliases.some((a) => a.name === 'live' && a.weights.length === 1 && a.weights[0]?.version === v.number) && <Button variant="link" isInline onClick={() => setMoving(v.number)} aria-label={`Send calls here… to version ${v.number}`}>Send calls here…</Button>}
                      {behind.length === 0 && <Button variant="link" isInline isDanger onClick={() => setDeleting(v.number)} aria-label={`Delete version ${v.number}`}>Delete…</Button>}
                    </span>
                  </Td>
                )}
              </Tr>
            );
          })}
        </Tbody>
      </Table>
      {moving !== undefined && <AliasDialog of={f} alias="live" weights={aliases.find((a) => a.name === 'live')?.weights ?? []} to={moving} close={() => setMoving(undefined)} />}
      {deleting !== undefined && <DeleteVersion name={f.id} version={deleting} close={() => setDeleting(undefined)} />}
    </>
  );
}

const share = (weights: readonly Weight[], version: number) => (weights.length > 1 ? ` ${weights.find((w) => w.version === version)?.percent} %` : '');

function Code({ of: v }: { of: FnVersion }) {
  return (
    <>
      {bytes(v.code.unpacked)} in {plural(v.code.files, 'file')}
      <div className="rd-sub rd-narrow" title={v.code.digest}>{v.code.digest.replace(/^\w+:/, '').slice(0, 8)}</div>
    </>
  );
}
