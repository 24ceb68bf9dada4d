import { Button, Label, SearchInput } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useDeferredValue, useState } from 'react';
import { useEditModel } from '../../api/functions';
import type { FnModel, ModelEntry } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { PlusIcon, TrashIcon } from '../../parts/icons';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count, plural } from '../../text/number';
import { kindTitle, targetText, deedText } from '../../text/use';
import { AllowDialog } from './AllowDialog';
import { byKind, sought } from './entries';

/** What the function uses, by kind; people add to it and take from it. */
export function ModelEntries({ of: m }: { of: FnModel }) {
  const [text, setText] = useState('');
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<ModelEntry>();
  const may = useMay('operator');
  const edit = useEditModel(m.function);
  const all = list(m.entries);
  const found = sought(all, useDeferredValue(text));
  return (
    <Panel title="What it uses" actions={may && <Button variant="secondary" size="sm" icon={<PlusIcon />} onClick={() => setAdding(true)}>Allow something…</Button>}>
      <div className="rd-stack">
        <div className="rd-bar">
          <SearchInput data-search aria-label="Search the model" placeholder="Search the model" value={text} onChange={(_, v) => setText(v)} onClear={() => setText('')} />
          <span className="rd-sub">{found.length === all.length ? plural(all.length, 'entry', 'entries') : `${found.length} of ${plural(all.length, 'entry', 'entries')}`}</span>
        </div>
        {found.length === 0 ? <p>{all.length === 0 ? 'Nothing yet: it has used nothing but its own code and answered.' : 'No entry matches.'}</p> : (
          <Table aria-label="Entries of the model" variant="compact" gridBreakPoint="grid-lg">
            <Thead><Tr><Th>Use</Th><Th>Came</Th><Th>Seen</Th><Th>First</Th><Th>Last</Th>{may && <Th screenReaderText="Remove" />}</Tr></Thead>
            {byKind(found).map(([kind, entries]) => (
              <Tbody key={kind}>
                <Tr className="rd-group"><Th colSpan={may ? 6 : 5} scope="rowgroup">{kindTitle(kind)} <span className="rd-sub">{entries.length}</span></Th></Tr>
                {entries.map((e) => <Line key={e.id} of={e} remove={may ? setRemoving : undefined} />)}
              </Tbody>
            ))}
          </Table>
        )}
      </div>
      {adding && <AllowDialog name={m.function} close={() => setAdding(false)} />}
      {removing && (
        <Ask title="Take this out of the model" yes="Take out" danger change={edit} arg={() => ({ remove: [removing.id] })} close={() => setRemoving(undefined)}>
          <p>The model of <strong>{m.function}</strong> no longer holds: <code className="rd-raw">{deedText(removing)}</code></p>
          <p>The next time it happens it counts as new: learned again while learning, an alert while observing, prevented while enforcing.</p>
        </Ask>
      )}
    </Panel>
  );
}

function Line({ of: e, remove }: { of: ModelEntry; remove: ((e: ModelEntry) => void) | undefined }) {
  return (
    <Tr>
      <Td dataLabel="Use" modifier="breakWord">
        <code className="rd-raw">{targetText(e)}</code>{' '}
        {e.weak && <Label isCompact color="orange" className="rd-label" title="Only one caller ever led to this, within one hour: so an attacker’s visit would look.">one caller in one hour</Label>}{' '}
        {(e.refused ?? 0) > 0 && <Label isCompact color="yellow" className="rd-label" title="It was tried and the role does not grant it">{count(e.refused ?? 0)} × not granted</Label>}
        {e.note && <div className="rd-sub">{escapeText(e.note)}</div>}
        {list(e.seen_with).length > 0 && <div className="rd-sub">versions {list(e.seen_with).join(', ')}{list(e.callers).length > 0 && `, called by ${list(e.callers).map(escapeText).join(', ')}${list(e.callers).length > 1 ? ' or others' : ''}`}</div>}
      </Td>
      <Td dataLabel="Came"><Label isCompact variant="outline">{e.source === 'manual' ? 'added by a person' : 'learned'}</Label></Td>
      <Td dataLabel="Seen">{plural(e.count, 'call')}</Td>
      <Td dataLabel="First"><Time at={e.first} never="never" /></Td>
      <Td dataLabel="Last"><Time at={e.last} never="never" /></Td>
      {remove && <Td><Button variant="plain" size="sm" icon={<TrashIcon />} aria-label={`Take out ${deedText(e)}`} onClick={() => remove(e)} /></Td>}
    </Tr>
  );
}
