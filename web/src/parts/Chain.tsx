import { Label } from '@patternfly/react-core';
import type { Process } from '../api/types';
import { chain, command } from '../text/entry';
import { escapeText, shorten } from '../text/escape';
import { Time } from './Time';

/** A process below the processes that started it, oldest first. */
export function Chain({ of }: { of: Process | undefined }) {
  const all = chain(of);
  if (all.length === 0) return <p>No process is known for this.</p>;
  return (
    <ol className="rd-chain" aria-label="Chain of processes, oldest first">
      {all.map((p, i) => <Step key={i} of={p} depth={i} last={i === all.length - 1} />)}
    </ol>
  );
}

function Step({ of: p, depth, last }: { of: Process; depth: number; last: boolean }) {
  const text = command(p);
  return (
    <li className={`rd-chain-step rd-in-${Math.min(depth, 8)}${last ? ' rd-chain-last' : ''}`} aria-current={last || undefined}>
      <div>
        <code className="rd-raw" title={text.length > 300 ? text.slice(0, 4000) : undefined}>{shorten(text, 300)}</code>
        <span className="rd-chain-notes">
          {p.pid > 0 && <span>pid {p.pid}</span>}
          <span>uid {p.uid}</span>
          {p.cwd && <span>in {shorten(escapeText(p.cwd), 60)}</span>}
          {p.started && <span>started <Time at={p.started} /></span>}
          {p.file?.digest && <span title={p.file.digest}>content {p.file.digest.replace(/^\w+:/, '').slice(0, 12)}</span>}
          {p.entered && <Label isCompact color="orange">entered from outside, as docker exec does</Label>}
          {p.file?.origin === 'written' && <Label isCompact color="orange">file written after the start</Label>}
          {p.file?.origin === 'memory' && <Label isCompact color="red">file only in memory</Label>}
          {p.file?.error && <Label isCompact color="grey">not hashed: {escapeText(p.file.error)}</Label>}
        </span>
      </div>
    </li>
  );
}
