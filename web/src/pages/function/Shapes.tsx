import { Button, ExpandableSection, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useEditModel } from '../../api/functions';
import type { FnModel, ModelField, ModelRoute } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { holds } from './fields';

interface Asked { route: string; field: string; forget: boolean }

/** What requests look like, by the route they come by. */
export function Shapes({ of: m }: { of: FnModel }) {
  const [asked, setAsked] = useState<Asked>();
  const edit = useEditModel(m.function);
  const routes = list(m.routes);
  return (
    <Panel title="What requests look like">
      {routes.length === 0 && <p>No request was learned yet.</p>}
      {routes.map((r) => <Shape key={r.name} of={r} open={routes.length === 1} ask={setAsked} />)}
      {asked && (
        <Ask
          title={asked.forget ? 'Forget this field' : 'Let this field hold anything'}
          yes={asked.forget ? 'Forget' : 'Allow'}
          danger={asked.forget}
          change={edit}
          arg={() => ({ fields: [{ route: asked.route, field: asked.field, ...(asked.forget && { forget: true }) }] })}
          close={() => setAsked(undefined)}
        >
          {asked.forget
            ? <p><code className="rd-raw">{escapeText(asked.field)}</code> of <code className="rd-raw">{escapeText(asked.route)}</code> counts as new the next time a request has it.</p>
            : <p>From now on <code className="rd-raw">{escapeText(asked.field)}</code> of <code className="rd-raw">{escapeText(asked.route)}</code> may hold anything of any length. Other fields are held to what was learned.</p>}
        </Ask>
      )}
    </Panel>
  );
}

function Shape({ of: r, open: first, ask }: { of: ModelRoute; open: boolean; ask: (a: Asked) => void }) {
  const [open, setOpen] = useState(first);
  const may = useMay('operator');
  const fields = list(r.fields);
  return (
    <ExpandableSection
      isExpanded={open}
      onToggle={(_, on) => setOpen(on)}
      toggleContent={<><code className="rd-raw">{escapeText(r.name)}</code> <span className="rd-sub">{plural(r.count, 'call')}, {plural(fields.length, 'field')}, last <Time at={r.last} /></span></>}
    >
      {fields.length === 0 ? <p>Requests have neither parameters nor a body.</p> : (
        <Table aria-label={`Fields of ${r.name}`} variant="compact" gridBreakPoint="grid-md">
          <Thead><Tr><Th>Field</Th><Th>Holds</Th><Th>Seen</Th><Th>Last</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
          <Tbody>{fields.map((f) => <Line key={f.name} of={f} route={r.name} ask={may ? ask : undefined} />)}</Tbody>
        </Table>
      )}
    </ExpandableSection>
  );
}

function Line({ of: f, route, ask }: { of: ModelField; route: string; ask: ((a: Asked) => void) | undefined }) {
  return (
    <Tr>
      <Td dataLabel="Field" modifier="breakWord"><code className="rd-raw">{escapeText(f.name)}</code></Td>
      <Td dataLabel="Holds" modifier="breakWord">{f.manual ? <Label isCompact color="blue">anything, a person says</Label> : holds(f)}</Td>
      <Td dataLabel="Seen">{plural(f.count, 'call')}</Td>
      <Td dataLabel="Last"><Time at={f.last} never="never" /></Td>
      {ask && (
        <Td>
          <span className="rd-actions">
            {!f.manual && <Button variant="link" isInline onClick={() => ask({ route, field: f.name, forget: false })} aria-label={`Allow anything in ${f.name}`}>Allow anything…</Button>}
            <Button variant="link" isInline isDanger onClick={() => ask({ route, field: f.name, forget: true })} aria-label={`Forget ${f.name}`}>Forget…</Button>
          </span>
        </Td>
      )}
    </Tr>
  );
}
