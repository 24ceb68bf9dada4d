import { Dropdown, DropdownGroup, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import { useState } from 'react';
import { useAct, useSetState } from '../../api/hooks';
import { list } from '../../api/types';
import type { State, Workload } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { covered, Missing } from '../../parts/Coverage';
import { useMay } from '../../parts/may';
import { plural } from '../../text/number';
import { ImportDialog } from './ImportDialog';

type Asked = 'observing' | 'enforcing' | 'learning' | 'isolate' | 'release' | 'block' | 'import';

/** Everything one can do to a workload, each asked for before it is done. */
export function Actions({ of: w }: { of: Workload }) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const may = useMay('operator');
  const state = w.profile.state;
  const file = `${w.workload.id.replace(/[^\w.-]+/g, '-')}.profile.json`;
  const item = (key: Asked, says: string, what: string, off = false) => (
    <DropdownItem key={key} description={what} isDisabled={off || !may} onClick={() => setAsked(key)}>{says}</DropdownItem>
  );
  return (
    <>
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        onSelect={() => setOpen(false)}
        popperProps={{ position: 'right' }}
        toggle={(ref) => <MenuToggle ref={ref} variant="primary" isExpanded={open} onClick={() => setOpen(!open)}>Actions</MenuToggle>}
      >
        <DropdownGroup label="Profile">
          <DropdownList>
            {item('enforcing', 'Enforce…', state === 'learning' ? 'first observe what it would prevent' : 'prevent what the profile does not hold', state !== 'observing')}
            {item('observing', 'Observe…', 'alert on it, stop nothing', !state || state === 'observing')}
            {item('learning', 'Learn again…', 'take new behaviour in', !state || state === 'learning')}
            <DropdownItem key="export" component="a" to={`/api/v1/profiles/${encodeURIComponent(w.workload.id)}`} download={file} isDisabled={!state} description="the profile as a document">Export</DropdownItem>
            {item('import', 'Import…', 'replace the profile by a document')}
          </DropdownList>
        </DropdownGroup>
        <DropdownGroup label="This instance">
          <DropdownList>
            {w.isolated ? item('release', 'Release…', 'give its network back') : item('isolate', 'Isolate…', 'cut its network, let it live', !w.running || w.kind === 'host')}
            {item('block', 'Stop…', 'the container engine stops it', !w.running || w.kind !== 'container')}
          </DropdownList>
        </DropdownGroup>
      </Dropdown>
      {asked && <Dialog asked={asked} of={w} close={() => setAsked(undefined)} />}
    </>
  );
}

function Dialog({ asked, of: w, close }: { asked: Asked; of: Workload; close: () => void }) {
  if (asked === 'import') return <ImportDialog of={w} close={close} />;
  if (asked === 'observing' || asked === 'enforcing' || asked === 'learning') return <StateDialog to={asked} of={w} close={close} />;
  return <ActDialog action={asked} of={w} close={close} />;
}

const stateTitle: Partial<Record<State, string>> = { enforcing: 'Enforce the profile', observing: 'Observe only', learning: 'Learn again' };

function StateDialog({ to, of: w, close }: { to: State; of: Workload; close: () => void }) {
  const change = useSetState(w.workload.id);
  return (
    <Ask title={`${stateTitle[to]} of ${w.name}`} yes={stateTitle[to] ?? to} change={change} arg={() => to} close={close}>
      <div className="rd-stack">
        {to === 'enforcing' && (
          <>
            <p>Within a second, programs, listening sockets and connections that are not among the {plural(w.profile.entries, 'entry', 'entries')} of the profile fail, in every instance of <strong>{w.workload.id}</strong>, without a restart. Each attempt raises an alert.</p>
            <p>The profile is {covered(w.profile.coverage)}. What it has not seen yet will be prevented too.</p>
            <Missing of={w.profile.coverage} />
          </>
        )}
        {to === 'observing' && <p>Behaviour outside the profile of <strong>{w.workload.id}</strong> raises an alert and is not stopped. Rules of policies stay in force.</p>}
        {to === 'learning' && (
          <>
            <p>New behaviour of <strong>{w.workload.id}</strong> joins the profile without an alert until enough is covered. What is there stays. Rules of policies stay in force.</p>
            {w.alerts > 0 && <p><strong>It has {plural(w.alerts, 'open alert')}.</strong> If somebody is inside, what they do now would be learned as normal: look at the alerts first.</p>}
          </>
        )}
      </div>
    </Ask>
  );
}

const acts: Record<'isolate' | 'release' | 'block', { title: string; yes: string; danger: boolean; text: string }> = {
  isolate: { title: 'Isolate', yes: 'Cut its network', danger: true, text: 'All traffic of this instance, in and out, is cut within a second. Its processes live on and can be looked at; other instances and workloads are not touched. Release takes it back.' },
  release: { title: 'Release', yes: 'Give its network back', danger: false, text: 'This instance can use the network again. Its profile and the policies hold as before.' },
  block: { title: 'Stop', yes: 'Stop it', danger: true, text: 'The container engine stops this container. Whoever depends on it loses it, and what it holds in memory is gone. Redoubt does not start it again; an orchestrator or restart policy may.' },
};

function ActDialog({ action, of: w, close }: { action: 'isolate' | 'release' | 'block'; of: Workload; close: () => void }) {
  const change = useAct(w.id);
  const { title, yes, danger, text } = acts[action];
  return (
    <Ask title={`${title} ${w.name}`} yes={yes} danger={danger} reason change={change} arg={(reason) => ({ action, reason })} close={close}>
      <p>{text}</p>
      {list(w.addresses).length > 0 && <p className="rd-sub">Addresses: {list(w.addresses).join(', ')}</p>}
    </Ask>
  );
}
