import { Button } from '@patternfly/react-core';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import { useFunctionMap } from '../../api/functions';
import type { FnMap } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { around } from '../../parts/flow/flow';
import { FlowMap } from '../../parts/flow/FlowMap';
import { FlowTable } from '../../parts/flow/FlowTable';
import { Panel } from '../../parts/Panel';

/** Who calls the function, by which way, and what it touches. */
export function Picture({ name }: { name: string }) {
  const map = useFunctionMap();
  const [table, setTable] = useState(false);
  return (
    <Panel
      title="Who calls it and what it touches, last day"
      actions={<><Link to="/radar?as=functions">All functions</Link> <Button variant="link" isInline onClick={() => setTable(!table)}>{table ? 'As a picture' : 'As a table'}</Button></>}
    >
      <Answer of={map} act="Draw the map">{(m) => <Part of={m} name={name} table={table} />}</Answer>
    </Panel>
  );
}

function Part({ of: m, name, table }: { of: FnMap; name: string; table: boolean }) {
  const part = useMemo(() => around(m, name), [m, name]);
  if (list(part.edges).length === 0) return <p>Nobody has called it in the last day, and its role grants nothing.</p>;
  return table ? <FlowTable of={part} /> : <FlowMap of={part} own={name} label={`Who calls ${name} and what it touches`} />;
}
