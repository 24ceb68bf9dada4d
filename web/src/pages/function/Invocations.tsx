import { Button } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useInvocations } from '../../api/functions';
import type { Invocation } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { OutcomeLabel, outcomeNames, StartLabel } from '../../parts/functionLabels';
import { ExclamationTriangleIcon, PlayIcon } from '../../parts/icons';
import { More } from '../../parts/More';
import { spans } from '../../parts/options';
import { Time } from '../../parts/Time';
import { duration } from '../../text/duration';
import { escapeText, shorten } from '../../text/escape';
import { bytes, plural } from '../../text/number';
import { InvocationDialog } from './InvocationDialog';

/** Every call that was made, refused ones included. */
export function Invocations({ name }: { name: string }) {
  const filters = useFilters();
  const picked = filters.pick('q', 'outcome', 'source', 'caller', 'version', 'since');
  const invocations = useInvocations({ ...picked, function: name });
  const open = filters.get('id');
  return (
    <>
      <FilterBar>
        <Search filters={filters} placeholder="Search invocations" />
        <Choice filters={filters} name="outcome" label="Any outcome" options={outcomeNames} />
        <Choice filters={filters} name="source" label="Any source" options={['http', 'invoke', 'schedule', 'bucket', 'mqtt', 'queue', 'function']} />
        <Choice filters={filters} name="since" label="Any time" options={spans} />
      </FilterBar>
      {(picked['caller'] || picked['version']) && (
        <p className="rd-only">
          {picked['caller'] && <>Only by <code className="rd-raw">{picked['caller']}</code> </>}
          {picked['version'] && <>Only of version {picked['version']} </>}
          <Button variant="link" isInline onClick={() => filters.unset('caller', 'version')}>show all</Button>
        </p>
      )}
      <Answer of={{ ...invocations, data: invocations.items }} act="List invocations">
        {(items) => items.length === 0 ? (
          <p className="rd-only">{Object.keys(picked).length > 0 ? 'No invocation matches.' : <><PlayIcon /> It was never called. Call it once under Test.</>}</p>
        ) : (
          <>
            <Rows items={items} open={(id) => filters.set('id', id)} choose={(caller) => filters.set('caller', caller)} />
            <More of={invocations} />
          </>
        )}
      </Answer>
      {open && <InvocationDialog id={open} close={() => filters.set('id', '')} />}
    </>
  );
}

function Rows({ items, open, choose }: { items: Invocation[]; open: (id: string) => void; choose: (caller: string) => void }) {
  return (
    <Table aria-label="Invocations" variant="compact" gridBreakPoint="grid-lg">
      <Thead><Tr><Th>Time</Th><Th>Outcome</Th><Th width={15}>Caller</Th><Th width={15}>Source</Th><Th>Version</Th><Th>Duration</Th><Th>Start</Th><Th>Memory</Th></Tr></Thead>
      <Tbody>
        {items.map((i) => (
          <Tr key={i.id}>
            <Td dataLabel="Time"><Button variant="link" isInline onClick={() => open(i.id)} title={`Open invocation ${i.id}`}><Time at={i.time} /></Button></Td>
            <Td dataLabel="Outcome" modifier="breakWord">
              <OutcomeLabel of={i.outcome} /> {i.status ? <span className="rd-sub">{i.status}</span> : null}
              {list(i.verdicts).length > 0 && <div className="rd-sub"><ExclamationTriangleIcon className="rd-warn" /> {plural(list(i.verdicts).length, 'verdict')}</div>}
              {i.error && <div className="rd-sub">{shorten(escapeText(i.error), 90)}</div>}
            </Td>
            <Td dataLabel="Caller" modifier="breakWord"><Button variant="link" isInline className="rd-caller" onClick={() => choose(i.caller)} title={`Only calls by ${i.caller}`}>{shorten(escapeText(i.caller), 40)}</Button>{i.from && <div className="rd-sub">{i.from}</div>}</Td>
            <Td dataLabel="Source" modifier="breakWord">{i.source}{i.async && ', asynchronous'}{i.route && <div className="rd-sub">{shorten(escapeText(i.route), 48)}</div>}</Td>
            <Td dataLabel="Version">{i.version ?? '–'}{i.alias && i.alias !== 'live' && <span className="rd-sub"> {i.alias}</span>}</Td>
            <Td dataLabel="Duration">{i.duration === undefined ? '–' : duration(i.duration)}{i.init ? <div className="rd-sub">+ {duration(i.init)} start</div> : null}</Td>
            <Td dataLabel="Start"><StartLabel of={i.start} /></Td>
            <Td dataLabel="Memory">{i.memory ? bytes(i.memory) : '–'}</Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
