import { Button } from '@patternfly/react-core';
import { useState } from 'react';
import { useModel, useRelearn, useSetModelState } from '../../api/functions';
import type { FnDetail, FnModel } from '../../api/functionTypes';
import { list } from '../../api/types';
import type { State } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Answer } from '../../parts/Answer';
import { covered, CoverageBar, Missing } from '../../parts/Coverage';
import { Facts } from '../../parts/Facts';
import { StateLabel } from '../../parts/labels';
import { useMay } from '../../parts/may';
import { Panel } from '../../parts/Panel';
import { Time } from '../../parts/Time';
import { duration } from '../../text/duration';
import { bytes, count, percent, plural } from '../../text/number';
import { ModelEntries } from './ModelEntries';
import { Shapes } from './Shapes';

/** What was learned of the function, and what becomes of what is new. */
export function ModelView({ of: f }: { of: FnDetail }) {
  const model = useModel(f.id);
  return (
    <Answer of={model} act="Read the model">
      {(m) => (
        <div className="rd-stack">
          <Known of={m} />
          <ModelEntries of={m} />
          <Shapes of={m} />
        </div>
      )}
    </Answer>
  );
}

const meaning: Record<string, string> = {
  learning: 'What is new is taken into the model without an alert. What no honest function does is an alert all the same.',
  observing: 'What is new raises an alert; nothing is stopped.',
  enforcing: 'What is new is prevented and raises an alert.',
};

type Asked = 'learning' | 'observing' | 'enforcing' | 'relearn';

function Known({ of: m }: { of: FnModel }) {
  const [asked, setAsked] = useState<Asked>();
  const may = useMay('operator');
  const state = m.state as State;
  const button = (what: Asked, says: string, primary = false) => <Button variant={primary ? 'primary' : 'secondary'} size="sm" onClick={() => setAsked(what)}>{says}</Button>;
  const versions = list(m.versions);
  const most = m.resources;
  return (
    <Panel
      title="What was learned"
      actions={may && (
        <>
          {state === 'observing' && button('enforcing', 'Enforce…', true)}
          {state !== 'observing' && button('observing', 'Observe…', state === 'learning')}
          {state !== 'learning' && button('learning', 'Learn on…')}
          {button('relearn', 'Learn anew…')}
        </>
      )}
    >
      <div className="rd-stack">
        <p><StateLabel of={state} /> since <Time at={m.since} />. {meaning[m.state]}</p>
        <div>
          <p className="rd-big">{covered(m.coverage)}</p>
          <CoverageBar of={m.coverage} label={`Coverage of ${m.function}`} />
          {m.coverage.units > 0 && <p className="rd-sub">With 95 % confidence at least {percent(m.coverage.lower)}{state === 'learning' ? '; learning ends at 95 %' : ''}. An observation is one kind of request in one hour.</p>}
        </div>
        <Missing of={m.coverage} />
        <Facts columns="3Col" of={[
          ['Calls learned from', count(m.calls)],
          ['First and last call', m.first && <><Time at={m.first} />, <Time at={m.last} /></>],
          ['Longest call', most.duration?.max && duration(most.duration.max * 1000)],
          ['Most memory', most.memory?.max && bytes(most.memory.max)],
          ['Largest answer', most.out?.max && bytes(most.out.max)],
          ['No room for', m.lost && plural(m.lost, 'thing')],
          ['Versions seen', versions.length > 0 && versions.map((v) => `${v.number}${v.changed ? ' (new code)' : ''}`).join(', ')],
          ['Revision', `${m.revision}`],
        ]} />
      </div>
      {asked === 'relearn' && <Relearn of={m} close={() => setAsked(undefined)} />}
      {asked && asked !== 'relearn' && <StateDialog of={m} to={asked} close={() => setAsked(undefined)} />}
    </Panel>
  );
}

const titles = { enforcing: 'Enforce the model', observing: 'Observe only', learning: 'Learn on' };

function StateDialog({ of: m, to, close }: { of: FnModel; to: 'learning' | 'observing' | 'enforcing'; close: () => void }) {
  return (
    <Ask title={`${titles[to]} of ${m.function}`} yes={titles[to]} change={useSetModelState(m.function)} arg={() => to} close={close}>
      {to === 'enforcing' && (
        <div className="rd-stack">
          <p>From the next call on, what is not among the {plural(list(m.entries).length, 'entry', 'entries')} and request shapes of the model fails and raises an alert. No deployment is needed.</p>
          <p>The model is {covered(m.coverage)}. What it has not seen yet will be prevented too.</p>
          <Missing of={m.coverage} />
        </div>
      )}
      {to === 'observing' && <p>What is outside the model raises an alert and is not stopped. The role and the access policies stay in force.</p>}
      {to === 'learning' && <p>What is new joins the model without an alert until enough is covered. What is there stays. If somebody misuses the function now, what they do would be learned as normal: look at its alerts first.</p>}
    </Ask>
  );
}

function Relearn({ of: m, close }: { of: FnModel; close: () => void }) {
  const manual = list(m.entries).filter((e) => e.source === 'manual').length;
  return (
    <Ask title={`Learn ${m.function} anew`} yes="Forget and learn anew" danger change={useRelearn(m.function)} arg={() => undefined} close={close}>
      <p>All that was learned from {plural(m.calls, 'call')} is forgotten{manual > 0 ? `, but not the ${plural(manual, 'entry', 'entries')} that people added` : ''}, and learning begins again. Until enough is covered, new behaviour raises no alert. This cannot be undone.</p>
    </Ask>
  );
}
