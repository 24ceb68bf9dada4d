import { useDeletePolicy, useSavePolicy } from '../../api/hooks';
import type { PolicyDocument } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { withDisabled } from '../../text/yaml';

/** Asks, then takes a policy out of force or puts it back. */
export function SwitchPolicy({ of: d, close }: { of: PolicyDocument; close: () => void }) {
  const save = useSavePolicy();
  const off = !d.policy.disabled;
  return (
    <Ask
      title={`${off ? 'Disable' : 'Enable'} ${d.id}`}
      yes={off ? 'Disable' : 'Enable'}
      change={save}
      arg={() => ({ name: d.id, source: withDisabled(d.source, off) })}
      close={close}
    >
      <p>{off ? 'Within a second none of its rules decides any more; what it prevented can happen again, if no other rule or an enforced profile prevents it. The document stays.' : 'Within a second its rules decide again, on every node, without restarting a workload.'}</p>
    </Ask>
  );
}

export function DeletePolicy({ name, close, done }: { name: string; close: () => void; done?: () => void }) {
  return (
    <Ask title={`Delete ${name}`} yes="Delete" danger change={useDeletePolicy()} arg={() => name} close={close} {...(done && { done })}>
      <p>The document and its rules are gone from every node within a second. Its history stays under this name and can be restored. To keep it at hand, disable it instead.</p>
    </Ask>
  );
}
