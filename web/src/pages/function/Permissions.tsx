import { Button, Label } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { useAdopt, usePrivileges } from '../../api/functions';
import type { FnDetail, Grant, Privileges } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { covered, CoverageBar } from '../../parts/Coverage';
import { Diff } from '../../parts/Diff';
import { CheckCircleIcon, ExclamationTriangleIcon } from '../../parts/icons';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { plural } from '../../text/number';
import { deedText, fieldTitle } from '../../text/use';
import { grantLines, roleText, unused } from './role';

/** What the live version's role grants beside what was used of it, and the smallest role. */
export function Permissions({ of: f }: { of: FnDetail }) {
  const privileges = usePrivileges(f.id);
  return (
    <Answer of={privileges} act="Compare grants with use">
      {(p) => (
        <div className="rd-stack">
          <Proposal of={p} revision={f.revision} />
          <Grants of={p} />
          <Wanted of={p} />
        </div>
      )}
    </Answer>
  );
}

function Proposal({ of: p, revision }: { of: Privileges; revision: number }) {
  const [asking, setAsking] = useState(false);
  const may = useMay('operator');
  const adopt = useAdopt(p.function);
  const { proposal } = p;
  const changes = list(proposal.changes);
  const smaller = proposal.ready && changes.length > 0;
  const doubts = list(proposal.doubts);
  return (
    <Panel title="The smallest role" actions={may && smaller && <Button onClick={() => setAsking(true)}>Adopt…</Button>}>
      <div className="rd-stack">
        {proposal.ready && !smaller && <p className="rd-yes"><CheckCircleIcon /> The role of version {p.version} grants nothing that was not used.</p>}
        {!proposal.ready && (
          <div>
            <p>Not enough was seen yet to propose one: {escapeText(proposal.why)}.</p>
            <CoverageBar of={proposal.coverage} label="Coverage of the model" />
            <p className="rd-sub">{covered(proposal.coverage)}</p>
          </div>
        )}
        {smaller && (
          <>
            <ul className="rd-bullets">{changes.map((c) => <li key={c}>{escapeText(c)}</li>)}</ul>
            <p className="rd-sub">It rests on this: {escapeText(proposal.why)}.</p>
            <Diff before={grantLines(p.role)} after={grantLines(proposal.role)} none="The roles are the same." />
          </>
        )}
        {doubts.length > 0 && (
          <div>
            <p>Granted because it was used, but look at it first:</p>
            <ul className="rd-signs">{doubts.map((d) => <li key={d}><ExclamationTriangleIcon className="rd-warn" /> <span>{escapeText(d)}</span></li>)}</ul>
          </div>
        )}
      </div>
      {asking && (
        <Ask title={`Adopt the smallest role for ${p.function}`} yes="Deploy with this role" change={adopt} arg={() => ({ version: p.version, revision })} close={() => setAsking(false)}>
          <div className="rd-stack">
            <p>The code of version {p.version} is deployed again as a new version with the role below, and live goes to it. Rolling back, under Versions, brings the old role back.</p>
            <Diff before={grantLines(p.role)} after={grantLines(proposal.role)} none="The roles are the same." />
          </div>
        </Ask>
      )}
    </Panel>
  );
}

function Grants({ of: p }: { of: Privileges }) {
  const grants = list(p.grants);
  const idle = grants.filter(unused).length;
  return (
    <Panel title={`Granted to version ${p.version}`}>
      {grants.length === 0 ? <p>Nothing beyond its own sandbox: no network, no program but the runtime, no secret, no other function.</p> : (
        <>
          <p>{plural(grants.length, 'grant')}, {idle === 0 ? 'all of them used.' : <><strong>{idle}</strong> never used.</>}</p>
          <Table aria-label="Grants of the role" variant="compact" gridBreakPoint="grid-md">
            <Thead><Tr><Th>What for</Th><Th>Grant</Th><Th>Used</Th><Th>Last use</Th></Tr></Thead>
            <Tbody>{grants.map((g) => <Line key={`${g.field} ${g.grant}`} of={g} />)}</Tbody>
          </Table>
        </>
      )}
      <p className="rd-sub">As it was deployed:</p>
      <pre className="rd-answer" tabIndex={0} aria-label="The role as a document">{roleText(p.role)}</pre>
    </Panel>
  );
}

function Line({ of: g }: { of: Grant }) {
  const used = list(g.used);
  return (
    <Tr>
      <Td dataLabel="What for">{fieldTitle(g.field)}</Td>
      <Td dataLabel="Grant" modifier="breakWord"><code className="rd-raw">{escapeText(g.grant)}</code></Td>
      <Td dataLabel="Used" modifier="breakWord">
        {unused(g) ? <Label isCompact color="orange" icon={<ExclamationTriangleIcon />}>never</Label>
          : used.length > 0 ? <>only {used.slice(0, 5).map((u) => <code key={u} className="rd-raw rd-peer">{escapeText(u)}</code>)}{used.length > 5 && ` and ${used.length - 5} more`}</>
            : <Label isCompact color="green" icon={<CheckCircleIcon />}>as granted</Label>}
      </Td>
      <Td dataLabel="Last use">{unused(g) ? <span>not in {plural(g.days, 'day')}</span> : <Time at={g.last} />}</Td>
    </Tr>
  );
}

function Wanted({ of: p }: { of: Privileges }) {
  const wanted = list(p.wanted);
  if (wanted.length === 0) return null;
  return (
    <Panel title="Tried and not granted">
      <p>What honest code needs goes into the role with the next deployment. What it does not need is a reason to look.</p>
      <Table aria-label="Uses that were not granted" variant="compact" gridBreakPoint="grid-md">
        <Thead><Tr><Th>It tried to</Th><Th>Times</Th><Th>Last</Th></Tr></Thead>
        <Tbody>
          {wanted.map((e) => (
            <Tr key={e.id}>
              <Td dataLabel="It tried to" modifier="breakWord"><code className="rd-raw">{deedText(e)}</code></Td>
              <Td dataLabel="Times">{plural(e.refused ?? 0, 'time')}</Td>
              <Td dataLabel="Last"><Time at={e.last} never="–" /></Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </Panel>
  );
}
