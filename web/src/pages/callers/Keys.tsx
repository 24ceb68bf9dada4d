import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useCallerKeys, useDeleteKey, useSwitchKey } from '../../api/callers';
import type { Key } from '../../api/functionTypes';
import { Answer, Failure } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { useFilters } from '../../parts/filters';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { parseTime } from '../../text/time';
import { KeyDialog } from './KeyDialog';

/** Long-lived credentials; only a hash or a sealed form of their secrets is kept. */
export function Keys() {
  const filters = useFilters();
  const principal = filters.get('principal');
  const keys = useCallerKeys({ principal });
  const may = useMay('admin');
  const [making, setMaking] = useState(false);
  const [leaving, setLeaving] = useState<Key>();
  const change = useSwitchKey();
  const remove = useDeleteKey();
  return (
    <div className="rd-stack">
      {may && <div><Button onClick={() => setMaking(true)}>Make a key</Button></div>}
      {principal && <p className="rd-only">Only of <code className="rd-raw">{escapeText(principal)}</code> <Button variant="link" isInline onClick={() => filters.set('principal', '')}>show all</Button></p>}
      {change.error != null && <Failure error={change.error} act="Switch the key" />}
      <Answer of={{ ...keys, data: keys.items }} act="List keys">
        {(items) => items.length === 0 ? <p>There is no key{principal && ' of this principal'}.</p> : (
          <>
            <Table aria-label="Keys" variant="compact" gridBreakPoint="grid-lg">
              <Thead><Tr><Th>What for</Th><Th>Key</Th><Th>Kind</Th><Th>Principal</Th><Th>Last used</Th><Th>Expires</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
              <Tbody>
                {items.map((k) => (
                  <Tr key={k.id}>
                    <Td dataLabel="What for" modifier="breakWord">{escapeText(k.name)} {k.disabled && <Label isCompact color="orange">disabled</Label>} {ended(k) && <Label isCompact>expired</Label>}</Td>
                    <Td dataLabel="Key" modifier="breakWord"><code className="rd-raw">{k.id}</code></Td>
                    <Td dataLabel="Kind">{k.kind === 'access' ? 'access key' : 'API key'}</Td>
                    <Td dataLabel="Principal" modifier="breakWord"><code className="rd-raw">{escapeText(k.principal)}</code></Td>
                    <Td dataLabel="Last used"><Time at={k.last} never="never" /></Td>
                    <Td dataLabel="Expires"><Time at={k.expires} never="never" /></Td>
                    {may && (
                      <Td>
                        <span className="rd-actions">
                          <Button variant="link" isInline isDisabled={change.isPending} onClick={() => change.mutate({ id: k.id, disabled: !k.disabled })} aria-label={`${k.disabled ? 'Enable' : 'Disable'} ${k.name}`}>{k.disabled ? 'Enable' : 'Disable'}</Button>
                          <Button variant="link" isInline isDanger onClick={() => setLeaving(k)} aria-label={`Delete ${k.name}`}>Delete…</Button>
                        </span>
                      </Td>
                    )}
                  </Tr>
                ))}
              </Tbody>
            </Table>
            <More of={keys} />
          </>
        )}
      </Answer>
      {making && <KeyDialog principal={principal} close={() => setMaking(false)} />}
      {leaving && (
        <Ask title={`Delete the key ${leaving.name}`} yes="Delete" danger change={remove} arg={() => leaving.id} close={() => setLeaving(undefined)}>
          <p>Whoever uses it is refused from now on, and tokens made with it end at once. It cannot be brought back; to stop it for a while, disable it.</p>
        </Ask>
      )}
    </div>
  );
}

const ended = (k: Key) => (parseTime(k.expires) ?? Infinity) < Date.now();
