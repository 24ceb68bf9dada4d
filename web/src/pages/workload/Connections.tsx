import { Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import { useEvents, useProfile, useRadar } from '../../api/hooks';
import { list } from '../../api/types';
import type { RadarEdge, RadarNode, Workload } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { workloadPath } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { allows } from '../../text/entry';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { EventTable } from '../events/EventTable';

/** Whom the workload talks to, whom it may talk to, and what came of late. */
export function Connections({ of: w }: { of: Workload }) {
  const radar = useRadar();
  const profile = useProfile(w.profile.state ? w.workload.id : undefined);
  const recent = useEvents({ workload: w.workload.id, kind: 'connect', limit: 20 });
  const allowed = list(profile.data?.entries).filter((e) => e.listen ?? e.connect);
  return (
    <div className="rd-stack">
      <Panel title="Seen" actions={<Link to={`/radar?node=${encodeURIComponent(w.workload.id)}`}>On the map</Link>}>
        <Answer of={radar} act="Read the map">
          {(r) => <Edges edges={list(r.edges).filter((e) => e.from === w.workload.id || e.to === w.workload.id)} nodes={list(r.nodes)} self={w.workload.id} />}
        </Answer>
      </Panel>
      <Panel title="Allowed by the profile">
        {allowed.length === 0 && <p>The profile holds no socket and no connection.</p>}
        <ul className="rd-bullets">{allowed.map((e) => <li key={e.id}><code className="rd-raw">{allows(e)}</code> <span className="rd-sub">{e.source}, {count(e.count)} ×</span></li>)}</ul>
      </Panel>
      <Panel title="Latest outbound connections that were new or told">
        <Answer of={{ ...recent, data: recent.items }} act="List connections">
          {(items) => (items.length === 0 ? <p>None.</p> : <EventTable events={items} alone />)}
        </Answer>
      </Panel>
    </div>
  );
}

function Edges({ edges, nodes, self }: { edges: RadarEdge[]; nodes: RadarNode[]; self: string }) {
  if (edges.length === 0) return <p>No connection of this workload has been seen. Connections within the profile that repeat are counted, not listed.</p>;
  const names = new Map(nodes.map((n) => [n.id, n]));
  return (
    <Table aria-label="Connections" variant="compact" gridBreakPoint="grid-md">
      <Thead><Tr><Th>Direction</Th><Th>Peer</Th><Th>Port</Th><Th>Count</Th><Th>Last</Th><Th>Stands out</Th></Tr></Thead>
      <Tbody>
        {edges.map((e, i) => {
          const other = e.from === self ? e.to : e.from;
          const peer = names.get(other);
          return (
            <Tr key={i}>
              <Td dataLabel="Direction">{e.from === self ? '→ out' : '← in'}</Td>
              <Td dataLabel="Peer">{peer && peer.kind !== 'outside' ? <Link to={workloadPath(other)}>{escapeText(peer.name)}</Link> : escapeText(peer?.name ?? other)}</Td>
              <Td dataLabel="Port">{e.port}/{e.proto}</Td>
              <Td dataLabel="Count">{count(e.count)}</Td>
              <Td dataLabel="Last"><Time at={e.last} /></Td>
              <Td dataLabel="Stands out">{e.denied && <Label isCompact color="red">denied</Label>} {e.novel && <Label isCompact color="orange">new</Label>}</Td>
            </Tr>
          );
        })}
      </Tbody>
    </Table>
  );
}
