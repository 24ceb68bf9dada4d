import { Spinner } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import { list } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { EffectLabel } from '../../parts/labels';
import { eventPath } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { summary } from '../../text/entry';
import { escapeText, shorten } from '../../text/escape';
import { count, plural } from '../../text/number';
import type { Tried } from './usePreview';

/** What the document would have changed on recorded events. */
export function PreviewPanel({ of: t }: { of: Tried }) {
  return (
    <Panel title="What it would change" actions={t.trying && <Spinner size="md" aria-label="Trying it on recorded events…" />}>
      {t.error ? <Failure error={t.error} act="Try it on recorded events" /> : t.problems.length > 0 ? <p>It can be tried when its problems are solved.</p> : <Changes of={t} />}
    </Panel>
  );
}

function Changes({ of: { preview: p } }: { of: Tried }) {
  if (!p) return null;
  const samples = list(p.samples);
  return (
    <div className="rd-stack" role="status">
      {p.events === 0 ? <p>No recorded event lies in its scope, so nothing can be said.</p> : (
        <p>Of {plural(p.events, 'recorded event')}{p.from && <> since <Time at={p.from} /></>}, <strong>{p.changed === 0 ? 'none' : count(p.changed)}</strong> would have had another outcome.</p>
      )}
      {samples.length > 0 && (
        <Table aria-label="Events with another outcome" variant="compact" gridBreakPoint="grid-lg">
          <Thead><Tr><Th>Event</Th><Th>Was</Th><Th>Would be</Th></Tr></Thead>
          <Tbody>
            {samples.map((s) => (
              <Tr key={s.event.id}>
                <Td dataLabel="Event" modifier="breakWord"><Link to={eventPath(s.event.id)}>{escapeText(s.event.workload.name)}</Link> <code className="rd-raw">{shorten(summary(s.event), 80)}</code></Td>
                <Td dataLabel="Was"><EffectLabel of={s.event.verdict} /></Td>
                <Td dataLabel="Would be">{s.then.effect || 'known'}{s.then.rule && <div className="rd-sub">{escapeText(s.then.rule)}</div>}</Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      )}
      {p.changed > samples.length && <p className="rd-sub">{count(samples.length)} of {count(p.changed)} are listed.</p>}
    </div>
  );
}
