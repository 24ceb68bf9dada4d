import { Button, Switch } from '@patternfly/react-core';
import { useEffect, useRef, useState } from 'react';
import { useLines } from '../../api/functions';
import type { LogLine } from '../../api/functionTypes';
import { Answer, Failure } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { spans } from '../../parts/options';
import { count } from '../../text/number';
import { InvocationDialog } from './InvocationDialog';
import { LogText } from './LogText';
import { useFollow } from './useFollow';

/** What the function printed: what is on record, and from then on as it comes. */
export function Logs({ name }: { name: string }) {
  const filters = useFilters();
  const picked = filters.pick('q', 'version', 'since');
  const narrowed = Object.keys(picked).length > 0;
  const [following, follow] = useState(true);
  const open = filters.get('id');
  return (
    <>
      <FilterBar end={<Switch label="Follow" isChecked={following && !narrowed} isDisabled={narrowed} onChange={(_, on) => follow(on)} />}>
        <Search filters={filters} placeholder="Search what it printed" />
        <Choice filters={filters} name="since" label="Any time" options={spans} />
      </FilterBar>
      <Text key={JSON.stringify(picked)} name={name} picked={picked} following={following && !narrowed} open={(id) => filters.set('id', id)} />
      {open && <InvocationDialog id={open} close={() => filters.set('id', '')} />}
    </>
  );
}

function Text({ name, picked, following, open }: { name: string; picked: Record<string, string>; following: boolean; open: (id: string) => void }) {
  const past = useLines(name, { ...picked, limit: 200 });
  const { lines, error } = useFollow(name, following);
  const end = useRef<HTMLDivElement>(null);
  const shown: LogLine[] = [...(past.items?.toReversed() ?? []), ...lines];
  useEffect(() => {
    if (following && end.current) end.current.scrollTop = end.current.scrollHeight;
  }, [following, shown.length]);
  return (
    <Answer of={{ ...past, data: past.items }} act="Read what it printed">
      {() => (
        <div className="rd-stack">
          {past.hasNextPage && <div><Button variant="link" isInline isLoading={past.isFetchingNextPage} onClick={() => void past.fetchNextPage()}>Load older lines</Button></div>}
          {shown.length === 0 ? <p>{Object.keys(picked).length > 0 ? 'No line matches.' : 'It has printed nothing yet. What it writes to its output appears here.'}</p> : <LogText lines={shown} label="What the function printed" at={end} open={open} />}
          {error != null && <Failure error={error} act="Follow what it prints" />}
          <p className="rd-sub" role="status">{following ? `Following; ${count(lines.length)} new since you opened this.` : 'Not following.'} {count(shown.length)} lines shown.</p>
        </div>
      )}
    </Answer>
  );
}
