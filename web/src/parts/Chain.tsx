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
  const most = last ? 300 : 34; // those above only say where it came from
  const brief = last || text.length <= most ? shorten(text, most) : `${shorten(escapeText(p.path), 60)} …`;
  return (
    <li className={`rd-chain-step rd-in-${Math.min(depth, 8)}${last ? ' rd-chain-last' : ''}`} aria-current={last || undefined}>
      <div>
        <code className="rd-raw" title={text.length > most ? text.slice(0, 4000) : undefined}>{p.path ? brief : 'a program that had ended before it was looked at'}</code>
        <span className="rd-chain-notes">
          {p.pid > 0 && <span>pid {p.pid}</span>}
          {last && <span>uid {p.uid}</span>}
          {last && p.cwd && <span>in {shorten(escapeText(p.cwd), 60)}</span>}
          {last && p.started && <span>started <Time at={p.started} /></span>}
          {last && p.file?.digest && <span title={p.file.digest}>content {p.file.digest.replace(/^\w+:/, '').slice(0, 12)}</span>}
          {p.entered && <Label isCompact color="orange">entered from outside, as docker exec does</Label>}
          {p.file?.origin === 'written' && <Label isCompact color="orange">file written after the start</Label>}
          {p.file?.origin === 'memory' && <Label isCompact color="red">file only in memory</Label>}
          {p.path && p.file?.error && <Label isCompact color="grey">not hashed: {escapeText(p.file.error)}</Label>}
        </span>
      </div>
    </li>
  );
}
