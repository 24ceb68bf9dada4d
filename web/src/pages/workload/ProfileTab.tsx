import { Button, SearchInput, Switch } from '@patternfly/react-core';
import { useDeferredValue, useMemo, useState } from 'react';
import { useEditEntries, useProfile } from '../../api/hooks';
import { list } from '../../api/types';
import type { Entry, Workload } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { PlusIcon } from '../../parts/icons';
import { useMay } from '../../parts/may';
import { allows } from '../../text/entry';
import { plural } from '../../text/number';
import { AddDialog } from './AddDialog';
import { EntryTable } from './EntryTable';
import { search } from './tree';

/** The entries of the profile: what the workload may do. */
export function ProfileTab({ of: w }: { of: Workload }) {
  const profile = useProfile(w.profile.state ? w.workload.id : undefined);
  if (!w.profile.state) return <p>No profile yet: it starts with the first process that is seen.</p>;
  return <Answer of={profile} act="Read the profile">{(p) => <Entries of={list(p.entries)} workload={w.workload.id} />}</Answer>;
}

function Entries({ of: entries, workload }: { of: Entry[]; workload: string }) {
  const [text, setText] = useState('');
  const [tree, setTree] = useState(true);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Entry>();
  const sought = useDeferredValue(text);
  const found = useMemo(() => search(entries, sought), [entries, sought]);
  const edit = useEditEntries(workload);
  const may = useMay('operator');
  return (
    <div className="rd-stack">
      <div className="rd-bar">
        <SearchInput data-search aria-label="Search the profile" placeholder="Search the profile" value={text} onChange={(_, v) => setText(v)} onClear={() => setText('')} />
        <Switch label="As a tree" isChecked={tree} onChange={(_, on) => setTree(on)} />
        <span className="rd-sub">{found.length === entries.length ? plural(entries.length, 'entry', 'entries') : `${found.length} of ${plural(entries.length, 'entry', 'entries')}`}</span>
        {may && <Button variant="secondary" icon={<PlusIcon />} onClick={() => setAdding(true)}>Add an entry</Button>}
      </div>
      <EntryTable entries={found} tree={tree && sought === ''} remove={may ? setRemoving : undefined} />
      {adding && <AddDialog workload={workload} close={() => setAdding(false)} />}
      {removing && (
        <Ask title="Remove this entry" yes="Remove" danger change={edit} arg={() => ({ remove: [removing.id] })} close={() => setRemoving(undefined)}>
          <p>The profile of <strong>{workload}</strong> no longer holds:</p>
          <p><code className="rd-raw">{allows(removing)}</code></p>
          <p>The next time it happens it counts as new: learned again while learning, an alert while observing, prevented while enforcing.</p>
        </Ask>
      )}
    </div>
  );
}
