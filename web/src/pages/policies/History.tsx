import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Fragment, useState } from 'react';
import { usePolicyHistory, useSavePolicy } from '../../api/hooks';
import type { PolicyRevision } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { Diff } from '../../parts/Diff';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Time } from '../../parts/Time';

/** Every text a policy had, each against the one before; an old one can be put in force again. */
export function History({ name, now, restored }: { name: string; now?: number | undefined; restored?: (source: string) => void }) {
  const history = usePolicyHistory(name);
  const may = useMay('operator');
  const [open, setOpen] = useState<number>();
  const [back, setBack] = useState<PolicyRevision>();
  return (
    <Answer of={{ ...history, data: history.items }} act="Read the history">
      {(items) => (
        <>
          <Table aria-label="Revisions" variant="compact" gridBreakPoint="grid-md">
            <Thead><Tr><Th>Revision</Th><Th>Saved</Th><Th>By</Th><Th screenReaderText="Actions" /></Tr></Thead>
            <Tbody>
              {items.map((r, i) => (
                <Fragment key={r.revision}>
                  <Tr>
                    <Td dataLabel="Revision">{r.revision} {r.revision === now && <Label isCompact color="green">current</Label>}</Td>
                    <Td dataLabel="Saved"><Time at={r.time} /></Td>
                    <Td dataLabel="By">{r.author}</Td>
                    <Td>
                      <span className="rd-actions">
                        <Button variant="link" isInline aria-expanded={open === r.revision} onClick={() => setOpen(open === r.revision ? undefined : r.revision)} aria-label={`${open === r.revision ? 'Hide' : 'Show'} changes of revision ${r.revision}`}>{open === r.revision ? 'Hide changes' : 'Show changes'}</Button>
                        {may && r.revision !== now && <Button variant="link" isInline onClick={() => setBack(r)} aria-label={`Restore this… revision ${r.revision}`}>Restore this…</Button>}
                      </span>
                    </Td>
                  </Tr>
                  {open === r.revision && (
                    <Tr>
                      <Td colSpan={4}>
                        <p className="rd-sub">{items[i + 1] ? `Against revision ${items[i + 1]!.revision}` : 'The first text'}</p>
                        <Diff before={items[i + 1]?.source} after={r.source} none="The text is the same as before." />
                      </Td>
                    </Tr>
                  )}
                </Fragment>
              ))}
            </Tbody>
          </Table>
          <More of={history} />
          {back && <Restore of={back} over={items.find((r) => r.revision === now)?.source} close={() => setBack(undefined)} restored={restored} />}
        </>
      )}
    </Answer>
  );
}

function Restore({ of: r, over, close, restored }: { of: PolicyRevision; over: string | undefined; close: () => void; restored: ((source: string) => void) | undefined }) {
  return (
    <Ask
      title={`Restore revision ${r.revision}`}
      yes="Restore"
      change={useSavePolicy()}
      arg={() => ({ name: r.id, source: r.source })}
      close={close}
      done={() => restored?.(r.source)}
    >
      <p>Its text is saved as a new revision and is in force on every node within a second. The revisions between stay in the history. This is what changes:</p>
      <Diff before={over} after={r.source} none="Nothing: the text is the one in force." />
    </Ask>
  );
}
