import { Button, Card, CardBody, CardHeader, CardTitle, Label } from '@patternfly/react-core';
import { Link } from 'react-router';
import { list } from '../../api/types';
import type { RadarNode } from '../../api/types';
import { Facts } from '../../parts/Facts';
import { TimesCircleIcon } from '../../parts/icons';
import { SeverityLabel, StateLabel } from '../../parts/labels';
import { workloadPath } from '../../parts/links';
import { Raw } from '../../parts/Raw';
import { escapeText } from '../../text/escape';
import { count, percent, plural } from '../../text/number';
import type { Link as Connection } from './layout';

interface Props { node: RadarNode; nodes: RadarNode[]; links: Connection[]; select: (id: string) => void }

/** What is known of the chosen node, and the ways on from it. */
export function Side({ node: n, nodes, links, select }: Props) {
  const out = links.filter((l) => l.from === n.id);
  const into = links.filter((l) => l.to === n.id);
  return (
    <Card className="rd-radar-side" component="section" aria-label={`About ${escapeText(n.name)}`} isCompact>
      <CardHeader actions={{ actions: <Button variant="plain" icon={<TimesCircleIcon />} aria-label="Close" onClick={() => select('')} />, hasNoOffset: true }}>
        <CardTitle component="h2">{escapeText(n.name)}</CardTitle>
      </CardHeader>
      <CardBody>
        <div className="rd-stack">
          <Facts columns="1Col" of={[
            ['Kind', n.kind],
            ['Profile', n.state && <><StateLabel of={n.state} /> {percent(n.coverage)} covered</>],
            ['Open alerts', n.kind !== 'outside' && (n.alerts > 0 ? <Link to={`/alerts?workload=${encodeURIComponent(n.id)}`}>{count(n.alerts)} <SeverityLabel of={n.worst} /></Link> : '0')],
            ['Network', n.isolated && <Label isCompact color="orange">isolated</Label>],
            ['Instances', n.instances > 1 && count(n.instances)],
            ['Image', n.image && <Raw text={n.image} max={60} />],
            ['Listens on', list(n.ports).map((p) => `${p.port}/${p.proto}`).join(', ')],
          ]} />
          {n.kind !== 'outside' && <Link to={workloadPath(n.id)}>Open the workload</Link>}
          <Peers title={`${plural(out.length, 'connection')} out`} links={out} end="to" nodes={nodes} select={select} />
          <Peers title={`${plural(into.length, 'connection')} in`} links={into} end="from" nodes={nodes} select={select} />
        </div>
      </CardBody>
    </Card>
  );
}

function Peers({ title, links, end, nodes, select }: { title: string; links: Connection[]; end: 'from' | 'to'; nodes: RadarNode[]; select: (id: string) => void }) {
  const name = (id: string) => escapeText(nodes.find((n) => n.id === id)?.name ?? id);
  return (
    <div>
      <h3 className="rd-h3">{title}</h3>
      <ul className="rd-peers">
        {links.toSorted((a, b) => Number(b.denied) - Number(a.denied) || Number(b.novel) - Number(a.novel) || b.count - a.count).map((l) => (
          <li key={l.id}>
            <Button variant="link" isInline onClick={() => select(l[end])}>{name(l[end])}</Button> {l.ports.join(', ')}{' '}
            {l.denied && <Label isCompact color="red">denied</Label>} {l.novel && <Label isCompact color="orange">new</Label>} <span className="rd-sub">{count(l.count)} ×</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
