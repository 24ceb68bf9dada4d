import { Form, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useState } from 'react';
import { useEditEntries } from '../../api/hooks';
import type { Entry } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { allows } from '../../text/entry';

type Kind = 'exec' | 'listen' | 'connect';

const kinds: Record<Kind, string> = { exec: 'a program', listen: 'a listening socket', connect: 'an outbound connection' };

/** Adds an entry by hand. */
export function AddDialog({ workload, close }: { workload: string; close: () => void }) {
  const edit = useEditEntries(workload);
  const [kind, setKind] = useState<Kind>('exec');
  const [f, setF] = useState({ path: '', parent: '', args: '', proto: 'tcp' as 'tcp' | 'udp', port: '', peer: '' });
  const set = (change: Partial<typeof f>) => setF({ ...f, ...change });
  const entry = make(kind, f);
  const text = (id: 'path' | 'parent' | 'args' | 'port' | 'peer', label: string, hint = '') => (
    <FormGroup label={label} fieldId={`add-${id}`}>
      <TextInput id={`add-${id}`} value={f[id]} placeholder={hint} onChange={(_, v) => set({ [id]: v })} />
    </FormGroup>
  );
  return (
    <Ask title="Add an entry" yes="Add" change={edit} ready={entry !== undefined} arg={() => ({ add: [entry!] })} close={close}>
      <Form onSubmit={(e) => e.preventDefault()}>
        <FormGroup label="Allow" fieldId="add-kind">
          <FormSelect id="add-kind" value={kind} onChange={(_, v) => setKind(v as Kind)}>
            {Object.entries(kinds).map(([k, says]) => <FormSelectOption key={k} value={k} label={says} />)}
          </FormSelect>
        </FormGroup>
        {text('path', kind === 'exec' ? 'Program' : 'Program (empty: any)', '/usr/bin/program')}
        {kind === 'exec' && text('parent', 'Started by (empty: anything)', '/bin/sh')}
        {kind === 'exec' && text('args', 'Arguments, separated by spaces (empty: any)', '* is any one, ** any more, <n> a number')}
        {kind === 'connect' && text('peer', 'To', 'a workload id, an address, a prefix, loopback or any')}
        {kind !== 'exec' && (
          <FormGroup label="Protocol" fieldId="add-proto">
            <FormSelect id="add-proto" value={f.proto} onChange={(_, v) => set({ proto: v as 'tcp' | 'udp' })}>
              <FormSelectOption value="tcp" label="tcp" /><FormSelectOption value="udp" label="udp" />
            </FormSelect>
          </FormGroup>
        )}
        {kind !== 'exec' && text('port', kind === 'listen' ? 'Port (0: any ephemeral one)' : 'Port (0: any)')}
        {entry && <p>This will be written: <code className="rd-raw">{allows(entry)}</code></p>}
      </Form>
    </Ask>
  );
}

/** The entry the form describes; the console gives it its id. */
function make(kind: Kind, f: { path: string; parent: string; args: string; proto: 'tcp' | 'udp'; port: string; peer: string }): Entry | undefined {
  const base = { id: '', kind, source: 'manual' as const, count: 0, units: 0 };
  const path = f.path.trim() || undefined;
  if (kind === 'exec') {
    if (!path?.startsWith('/')) return undefined;
    const args = f.args.trim();
    return { ...base, exec: { path, ...(f.parent.trim() && { parent: f.parent.trim() }), ...(args && { args: ['*', ...args.split(/\s+/)] }) } };
  }
  const port = Number(f.port || 'none');
  if (!Number.isInteger(port) || port < 0 || port > 65535) return undefined;
  const common = { proto: f.proto, port, ...(path && { path }) };
  if (kind === 'listen') return { ...base, listen: common };
  return f.peer.trim() ? { ...base, connect: { ...common, peer: f.peer.trim() } } : undefined;
}
