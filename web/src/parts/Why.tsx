import { Content, List, ListItem } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { Link } from 'react-router';
import { list } from '../api/types';
import type { Explanation } from '../api/types';
import { allows } from '../text/entry';
import { escapeText } from '../text/escape';
import { CheckCircleIcon, TimesCircleIcon } from './icons';
import { policyPath } from './links';

/** Why an event got its verdict: what was asked, what was compared, what would change the answer. */
export function Why({ of: e }: { of: Explanation }) {
  return (
    <div className="rd-stack">
      <Content>
        <p>{escapeText(e.advice || e.verdict.reason || '')}</p>
      </Content>
      <Compared of={e} />
      <Rules of={e} />
    </div>
  );
}

function Compared({ of: e }: { of: Explanation }) {
  const compared = list(e.compared);
  if (!e.nearest) return <p>The profile holds nothing like this.</p>;
  return (
    <div>
      <p>Nearest entry of the profile: <code className="rd-raw">{allows(e.nearest)}</code></p>
      {compared.length > 0 && (
        <Table aria-label="What was compared with the nearest entry" variant="compact" gridBreakPoint="grid-md" className="rd-tight">
          <Thead>
            <Tr><Th width={25}>Field</Th><Th>The profile has</Th><Th>This was</Th></Tr>
          </Thead>
          <Tbody>
            {compared.map((d) => (
              <Tr key={d.field} className={d.same ? undefined : 'rd-differs'}>
                <Td dataLabel="Field"><Mark yes={d.same} says={d.field} means={d.same ? 'the same' : 'differs'} /></Td>
                <Td dataLabel="The profile has"><code className="rd-raw">{escapeText(d.want) || '(empty)'}</code></Td>
                <Td dataLabel="This was"><code className="rd-raw">{escapeText(d.got) || '(empty)'}</code></Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      )}
    </div>
  );
}

function Rules({ of: e }: { of: Explanation }) {
  const rules = list(e.rules);
  if (rules.length === 0) return null;
  return (
    <div>
      <p>Rules in the order they were asked:</p>
      <List isPlain>
        {rules.map((r) => (
          <ListItem key={r.rule}>
            <Mark yes={r.matched} says={r.matched ? 'decided' : 'did not match'} /> <RuleName of={r.rule} />: {escapeText(r.why)}
          </ListItem>
        ))}
      </List>
    </div>
  );
}

/** A rule's name, leading to its policy where it has one. */
export function RuleName({ of }: { of: string | undefined }) {
  const [kind, name] = (of ?? '').split('/');
  if (kind === 'policy' && name) return <Link to={policyPath(name)}><code className="rd-raw">{escapeText(of ?? '')}</code></Link>;
  return <code className="rd-raw">{escapeText(of || 'no rule')}</code>;
}

function Mark({ yes, says, means }: { yes: boolean; says: string; means?: string }) {
  return (
    <span className={yes ? 'rd-yes' : 'rd-no'} title={means}>
      {yes ? <CheckCircleIcon /> : <TimesCircleIcon />} {says}{means && <span className="pf-v6-screen-reader">, {means}</span>}
    </span>
  );
}
