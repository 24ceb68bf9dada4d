import { Link } from 'react-router';
import { list } from '../../api/types';
import type { Overview } from '../../api/types';
import { CheckCircleIcon, DisconnectedIcon, ExclamationTriangleIcon } from '../../parts/icons';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';

/** What is not observed: an empty list elsewhere says nothing about these. */
export function Blind({ of: o }: { of: Overview }) {
  const gaps = list(o.gaps);
  const nodes = list(o.nodes);
  return (
    <Panel title="Not observed" actions={<Link to="/nodes">Nodes</Link>}>
      {gaps.length === 0 && nodes.some((n) => n.connected) && <p className="rd-yes"><CheckCircleIcon /> The nodes report nothing that they cannot see.</p>}
      <ul className="rd-signs">
        {gaps.map((g) => <li key={g}><ExclamationTriangleIcon className="rd-warn" /> <span>{escapeText(g)}</span></li>)}
      </ul>
      <h3 className="rd-h3">Nodes</h3>
      <ul className="rd-signs">
        {nodes.length === 0 && <li><DisconnectedIcon className="rd-bad" /> <span>No node has enrolled: nothing is observed at all.</span></li>}
        {nodes.map((n) => (
          <li key={n.id}>
            {n.connected ? <CheckCircleIcon className="rd-good" /> : <DisconnectedIcon className="rd-bad" />}
            <span>{escapeText(n.id)}: {n.connected ? 'reporting' : 'silent'}, last report <Time at={n.time} /></span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
