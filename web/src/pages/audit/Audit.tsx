import { Button, Label, PageSection } from '@patternfly/react-core';
import { ExpandableRowContent, Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useAudit, useVerify } from '../../api/hooks';
import type { AuditEntry } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Diff } from '../../parts/Diff';
import { Head } from '../../parts/Head';
import { CheckCircleIcon, ExclamationTriangleIcon } from '../../parts/icons';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { spans } from '../../parts/options';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count } from '../../text/number';

export default function Audit() {
  const filters = useFilters();
  const navigate = useNavigate();
  const picked = filters.pick('q', 'actor', 'since');
  const audit = useAudit(picked);
  const filtered = Object.keys(picked).length > 0;
  return (
    <>
      <Head title="Audit trail"><Chained /></Head>
      <PageSection isFilled>
        <FilterBar>
          <Search filters={filters} placeholder="Search the trail" />
          <Search filters={filters} placeholder="Actor" name="actor" />
          <Choice filters={filters} name="since" label="Any time" options={spans} />
        </FilterBar>
        <Answer of={{ ...audit, data: audit.items }} act="Read the trail">
          {(items) => items.length === 0 ? (
            <Nothing what="changes" filtered={filtered} actions={filtered && <Button variant="link" onClick={() => void navigate('/audit')}>Clear filters</Button>} />
          ) : (
            <>
              <Rows items={items} />
              <More of={audit} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

/** Whether the chain of hashes holds. */
function Chained() {
  const verify = useVerify();
  const v = verify.data;
  return (
    <span className="rd-row-labels">
      Every change, who made it, before and after.
      {v?.intact && <Label isCompact color="green" icon={<CheckCircleIcon />}>chain of {count(v.entries)} entries intact</Label>}
      {v && !v.intact && <Label isCompact color="red" icon={<ExclamationTriangleIcon />}>chain broken at {v.broken}: somebody changed the record</Label>}
      <Button variant="link" isInline onClick={() => void verify.refetch()}>Check again</Button>
    </span>
  );
}

function Rows({ items }: { items: AuditEntry[] }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  return (
    <Table aria-label="Audit trail" variant="compact" gridBreakPoint="grid-lg" isExpandable>
      <Thead><Tr><Th screenReaderText="Details" /><Th>Time</Th><Th>Actor</Th><Th>Action</Th><Th>Object</Th><Th>Result</Th><Th>From</Th></Tr></Thead>
      {items.map((e, i) => (
        <Tbody key={e.id} isExpanded={open.has(e.id)}>
          <Tr>
            <Td expand={{ rowIndex: i, isExpanded: open.has(e.id), onToggle: () => toggle(e.id), expandId: 'audit' }} />
            <Td dataLabel="Time"><Time at={e.time} /></Td>
            <Td dataLabel="Actor">{escapeText(e.actor)}</Td>
            <Td dataLabel="Action">{escapeText(e.action)}</Td>
            <Td dataLabel="Object" modifier="breakWord">{escapeText(e.object)}</Td>
            <Td dataLabel="Result"><Label isCompact color={e.result === 'done' ? 'green' : e.result === 'denied' ? 'orange' : 'red'} icon={e.result === 'done' ? <CheckCircleIcon /> : <ExclamationTriangleIcon />}>{e.result}</Label></Td>
            <Td dataLabel="From">{e.from ?? '–'}</Td>
          </Tr>
          {open.has(e.id) && (
            <Tr isExpanded>
              <Td colSpan={7}><ExpandableRowContent><Diff before={e.before} after={e.after} none="This act has no before and after." /><p className="rd-sub">hash {e.hash}</p></ExpandableRowContent></Td>
            </Tr>
          )}
        </Tbody>
      ))}
    </Table>
  );
}
