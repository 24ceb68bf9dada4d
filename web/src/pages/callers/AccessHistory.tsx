import { Button } from '@patternfly/react-core';
import { useState } from 'react';
import { useAccessHistory } from '../../api/callers';
import { Answer } from '../../parts/Answer';
import { Diff } from '../../parts/Diff';
import { More } from '../../parts/More';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';

/** Every text the policy had, each against the one before; an old one can be taken into the editor. */
export function AccessHistory({ name, take }: { name: string; take: ((cedar: string) => void) | undefined }) {
  const history = useAccessHistory(name);
  const [open, setOpen] = useState<number>();
  return (
    <Answer of={{ ...history, data: history.items }} act="Read the history">
      {(items) => (
        <>
          <ul className="rd-list">
            {items.map((r, i) => (
              <li key={r.revision} className="rd-row">
                <span className="rd-actions">
                  <span>revision {r.revision}, <Time at={r.updated} />{r.by && ` by ${escapeText(r.by)}`}</span>
                  <Button variant="link" isInline aria-expanded={open === r.revision} onClick={() => setOpen(open === r.revision ? undefined : r.revision)} aria-label={`${open === r.revision ? 'Hide' : 'Show'} changes of revision ${r.revision}`}>{open === r.revision ? 'Hide changes' : 'Show changes'}</Button>
                  {take && i > 0 && <Button variant="link" isInline onClick={() => take(r.cedar)} aria-label={`Take into the editor: revision ${r.revision}`}>Take into the editor</Button>}
                </span>
                {open === r.revision && <Diff before={items[i + 1]?.cedar} after={r.cedar} none="The text is the same as before." />}
              </li>
            ))}
          </ul>
          {history.hasNextPage && <More of={history} />}
        </>
      )}
    </Answer>
  );
}
