import { FileUpload } from '@patternfly/react-core';
import { useState } from 'react';
import { useImportProfile, useProfile } from '../../api/hooks';
import { list } from '../../api/types';
import type { Profile, Workload } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { allows } from '../../text/entry';
import { plural } from '../../text/number';
import { compare } from './tree';

/** Replaces the profile by a document, after saying what that changes. */
export function ImportDialog({ of: w, close }: { of: Workload; close: () => void }) {
  const change = useImportProfile(w.workload.id);
  const [name, setName] = useState('');
  const [read, setRead] = useState<Profile | string>();
  const profile = typeof read === 'object' ? read : undefined;
  return (
    <Ask
      title={`Import a profile for ${w.name}`}
      yes="Replace the profile"
      danger
      change={change}
      ready={profile !== undefined}
      arg={() => ({ ...profile!, workload: w.workload.id })}
      close={close}
    >
      <div className="rd-stack">
        <FileUpload
          id="profile-file"
          filename={name}
          filenamePlaceholder="A profile that was exported (JSON)"
          browseButtonText="Choose a file"
          clearButtonText="Clear"
          hideDefaultPreview
          onFileInputChange={(_, file) => {
            setName(file.name);
            void file.text().then((text) => setRead(parse(text)));
          }}
          onClearClick={() => {
            setName('');
            setRead(undefined);
          }}
        />
        {typeof read === 'string' && <p role="alert" className="rd-wrong">{read}</p>}
        {profile && <Effect then={profile} of={w} />}
      </div>
    </Ask>
  );
}

function Effect({ then, of: w }: { then: Profile; of: Workload }) {
  const now = useProfile(w.profile.state ? w.workload.id : undefined);
  const { added, removed, kept } = compare(list(now.data?.entries), list(then.entries));
  return (
    <>
      {then.workload !== w.workload.id && <p>The document is of <code className="rd-raw">{then.workload}</code>; its entries will be used for <code className="rd-raw">{w.workload.id}</code>.</p>}
      <p>State becomes {then.state}. {plural(added.length, 'entry', 'entries')} added, {removed.length} removed, {kept} kept.</p>
      <Some title="Added" texts={added.map(allows)} />
      <Some title="Removed" texts={removed.map(allows)} />
    </>
  );
}

function Some({ title, texts }: { title: string; texts: string[] }) {
  if (texts.length === 0) return null;
  return (
    <div>
      <p>{title}:</p>
      <ul className="rd-bullets">
        {texts.slice(0, 8).map((t, i) => <li key={i}><code className="rd-raw">{t}</code></li>)}
        {texts.length > 8 && <li>and {texts.length - 8} more</li>}
      </ul>
    </div>
  );
}

/** The profile in the text, or why there is none. */
function parse(text: string): Profile | string {
  try {
    const p = JSON.parse(text) as Profile;
    if (typeof p !== 'object' || p === null || !p.workload || !Array.isArray(p.entries)) return 'This is no profile: it has no workload or no entries. Export one to see the form.';
    return p;
  } catch (e) {
    return `This is no JSON document: ${e instanceof Error ? e.message : String(e)}`;
  }
}
