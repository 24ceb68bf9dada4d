import { Button, Label } from '@patternfly/react-core';
import { list } from '../../api/types';
import type { NodeStatus } from '../../api/types';
import { Facts } from '../../parts/Facts';
import { CheckCircleIcon, DisconnectedIcon, ExclamationTriangleIcon } from '../../parts/icons';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { bytes, count, finePercent } from '../../text/number';

/** One node: healthy or not, what it stands on, what it misses, what it costs. */
export function NodeCard({ of: n, forget }: { of: NodeStatus; forget?: ((n: NodeStatus) => void) | undefined }) {
  return (
    <Panel title={escapeText(n.id)} actions={forget && <Button variant="link" isDanger onClick={() => forget(n)} aria-label={`Forget ${n.id}`}>Forget…</Button>}>
      <div className="rd-stack">
        <p className="rd-row-labels">
          {n.connected ? <Label isCompact color="green" icon={<CheckCircleIcon />}>reporting</Label> : <Label isCompact color="red" icon={<DisconnectedIcon />}>silent</Label>}
          <span>last report <Time at={n.time} />, up since <Time at={n.started} />, {count(n.workloads)} workloads</span>
        </p>
        <div className="rd-two">
          <div>
            <h3 className="rd-h3">Cannot see or enforce</h3>
            <Gaps of={n} />
          </div>
          <Losses of={n} />
        </div>
        <h3 className="rd-h3">Stands on</h3>
        <Facts columns="3Col" of={[
          ['Prevents programs by', backends(n.sensor.exec)],
          ['Prevents connections by', backends(n.sensor.connect)],
          ['Container engines', list(n.engines).length === 0 ? 'none found' : <ul className="rd-bullets">{list(n.engines).map((e) => <li key={e.name}>{e.name} {e.version} {e.error && <span className="rd-wrong">not watched: {escapeText(e.error)}</span>}</li>)}</ul>],
          ['Kernel', n.kernel],
          ['Control groups', n.sensor.cgroups],
          ['Redoubt', n.version],
          ['Hooks', list(n.sensor.sensing).join(', ')],
        ]} />
        <h3 className="rd-h3">Costs</h3>
        <Facts columns="3Col" of={[
          ['Processor', `${finePercent(n.load.cpu)} of one core`],
          ['Memory', bytes(n.load.rss)],
          ['Kernel programs', kernelCost(n)],
          ['Events passed up', count(n.load.events)],
          ['Recognised in the kernel', count(n.load.known)],
          ['Waiting for the console', count(n.spooled)],
        ]} />
      </div>
    </Panel>
  );
}

function backends(names: string[] | null): React.ReactNode {
  return list(names).length === 0 ? <span className="rd-wrong">nothing: it can only alert</span> : list(names).join(', then ');
}

function Gaps({ of: n }: { of: NodeStatus }) {
  const gaps = list(n.gaps);
  if (!n.connected) return <p><DisconnectedIcon className="rd-bad" /> It is silent: what happens there now is not known here.</p>;
  if (gaps.length === 0) return <p className="rd-yes"><CheckCircleIcon /> It reports no gap.</p>;
  return <ul className="rd-signs">{gaps.map((g) => <li key={g}><ExclamationTriangleIcon className="rd-warn" /> <span>{escapeText(g)}</span></li>)}</ul>;
}

function Losses({ of: { load } }: { of: NodeStatus }) {
  const lost = load.lost + load.dropped;
  return (
    <div>
      <h3 className="rd-h3">Lost since its start</h3>
      {lost === 0 ? <p className="rd-yes"><CheckCircleIcon /> No event.</p> : (
        <ul className="rd-signs">
          {load.lost > 0 && <li><ExclamationTriangleIcon className="rd-bad" /> <span>{count(load.lost)} events, the kernel’s buffer was full</span></li>}
          {load.dropped > 0 && <li><ExclamationTriangleIcon className="rd-bad" /> <span>{count(load.dropped)} events, the spool was full while the console was away</span></li>}
        </ul>
      )}
    </div>
  );
}

function kernelCost(n: NodeStatus): string {
  const up = (Date.parse(n.time) - Date.parse(n.started)) * 1e6;
  return up > 0 ? `${((n.load.kernel_ns / up) * 100).toFixed(2)} % of one core since its start` : '–';
}
