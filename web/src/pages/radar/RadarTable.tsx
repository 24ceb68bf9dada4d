import { Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import type { RadarNode } from '../../api/types';
import { SeverityLabel, StateLabel } from '../../parts/labels';
import { workloadPath } from '../../parts/links';
import { escapeText } from '../../text/escape';
import { count, percent } from '../../text/number';
import type { Link as Connection } from './layout';

/** The map as a table, for those who rather read than look. */
export function RadarTable({ nodes, links }: { nodes: RadarNode[]; links: Connection[] }) {
  const name = (id: string) => escapeText(nodes.find((n) => n.id === id)?.name ?? id);
  return (
    <Table aria-label="Workloads and their connections" variant="compact" gridBreakPoint="grid-lg">
      <Thead><Tr><Th>Workload</Th><Th>Profile</Th><Th>Open alerts</Th><Th>Connects to</Th></Tr></Thead>
      <Tbody>
        {nodes.map((n) => (
          <Tr key={n.id}>
            <Td dataLabel="Workload">{n.kind === 'outside' ? escapeText(n.name) : <Link to={workloadPath(n.id)}>{escapeText(n.name)}</Link>} <span className="rd-sub">{n.kind}</span></Td>
            <Td dataLabel="Profile">{n.state ? <><StateLabel of={n.state} /> {percent(n.coverage)}</> : '–'}</Td>
            <Td dataLabel="Open alerts">{n.alerts > 0 ? <>{count(n.alerts)} <SeverityLabel of={n.worst} /></> : '0'}</Td>
            <Td dataLabel="Connects to" modifier="breakWord">
              {links.filter((l) => l.from === n.id).map((l) => (
                <span key={l.id} className="rd-peer">{name(l.to)} {l.ports.join(', ')} {l.denied && <Label isCompact color="red">denied</Label>}{l.novel && <Label isCompact color="orange">new</Label>}</span>
              ))}
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
