import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { list } from '../../api/types';
import type { Entry } from '../../api/types';
import { TrashIcon } from '../../parts/icons';
import { Time } from '../../parts/Time';
import { allows, shape, starter } from '../../text/entry';
import { commandLine, escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { processTree } from './tree';

const step = 200; // rows drawn at once

interface Row { key: string; depth: number; text: string; of?: Entry }

/** Entries as a table, programs below the programs that start them. */
export function EntryTable({ entries, tree, remove }: { entries: Entry[]; tree: boolean; remove?: ((e: Entry) => void) | undefined }) {
  const [most, setMost] = useState(step);
  const rows = tree ? treeRows(entries) : entries.map((e) => ({ key: e.id, depth: 0, text: allows(e), of: e }));
  if (rows.length === 0) return <p>No entry matches.</p>;
  return (
    <>
      <Table aria-label="Entries of the profile" variant="compact" gridBreakPoint="grid-lg">
        <Thead>
          <Tr><Th>Allows</Th><Th>Came</Th><Th>Seen</Th><Th>Last</Th>{remove && <Th screenReaderText="Remove" />}</Tr>
        </Thead>
        <Tbody>
          {rows.slice(0, most).map((r) => <Line key={r.key} of={r} remove={remove} />)}
        </Tbody>
      </Table>
      {rows.length > most && <Button variant="secondary" onClick={() => setMost(most + step)}>Show more of {count(rows.length)}</Button>}
    </>
  );
}

function treeRows(entries: Entry[]): Row[] {
  const programs = processTree(entries).flatMap(({ path, depth, entries: own }, i): Row[] =>
    own.length === 0
      ? [{ key: `${i}`, depth, text: `${starter(path)}${path === 'outside' ? '' : ' (not in the profile)'}` }]
      : own.map((e) => ({ key: `${i} ${e.id}`, depth, text: [escapeText(path), argsText(e)].filter(Boolean).join(' '), of: e })));
  return [...programs, ...entries.filter((e) => !e.exec).map((e) => ({ key: e.id, depth: 0, text: allows(e), of: e }))];
}

function argsText(e: Entry): string {
  const args = shape(e);
  return args ? commandLine(args) : '(any arguments)';
}

function Line({ of: { depth, text, of: e }, remove }: { of: Row; remove?: ((e: Entry) => void) | undefined }) {
  const digests = list(e?.exec?.digests);
  return (
    <Tr>
      <Td dataLabel="Allows" modifier="breakWord">
        <div className={`rd-in-${Math.min(depth, 8)}${depth > 0 ? ' rd-twig' : ''}`}>
          <code className="rd-raw">{text}</code>
          {e?.note && <div className="rd-sub">{escapeText(e.note)}</div>}
          {e?.exec && digests.length === 0 && <div className="rd-sub">content not hashed yet</div>}
          {digests.length > 0 && <div className="rd-sub" title={digests.join('\n')}>content {digests.map((d) => d.replace(/^\w+:/, '').slice(0, 12)).join(', ')}</div>}
        </div>
      </Td>
      <Td dataLabel="Came">{e && <Label isCompact variant="outline" title={sources[e.source]}>{e.source}</Label>}</Td>
      <Td dataLabel="Seen">{e && `${count(e.count)} ×`}</Td>
      <Td dataLabel="Last">{e && <Time at={e.last} never="never seen" />}</Td>
      {remove && <Td>{e && <Button variant="plain" size="sm" icon={<TrashIcon />} aria-label={`Remove ${allows(e)}`} onClick={() => remove(e)} />}</Td>}
    </Tr>
  );
}

const sources: Record<Entry['source'], string> = {
  seeded: 'predicted from the image',
  learned: 'observed',
  inherited: 'carried over from an earlier image version',
  manual: 'added by a person',
};
