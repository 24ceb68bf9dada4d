import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import type { FnMap } from '../../api/functionTypes';
import { list } from '../../api/types';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';
import { Time } from '../Time';

/** The same as text, for those who rather read than look. */
export function FlowTable({ of: m }: { of: Pick<FnMap, 'nodes' | 'edges'> }) {
  return (
    <Table aria-label="Who calls what, and what that touches" variant="compact" gridBreakPoint="grid-md">
      <Thead><Tr><Th>From</Th><Th>To</Th><Th>Times</Th><Th>Refused</Th><Th>Granted</Th><Th>Last</Th></Tr></Thead>
      <Tbody>
        {list(m.edges).map((e) => (
          <Tr key={`${e.from} ${e.to}`}>
            <Td dataLabel="From" modifier="breakWord"><code className="rd-raw">{escapeText(e.from)}</code></Td>
            <Td dataLabel="To" modifier="breakWord"><code className="rd-raw">{escapeText(e.to)}</code></Td>
            <Td dataLabel="Times">{count(e.count)}</Td>
            <Td dataLabel="Refused">{count(e.refused ?? 0)}</Td>
            <Td dataLabel="Granted">{e.granted ? 'by the role' : '–'}</Td>
            <Td dataLabel="Last"><Time at={e.last} never="never" /></Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
