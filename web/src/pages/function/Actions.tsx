import { Button, Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useDeleteFunction, useSetFunctionState } from '../../api/functions';
import type { FnDetail } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { useMay } from '../../parts/may';
import { count, plural } from '../../text/number';

/** Taking the function out of service, putting it back, deleting it. */
export function Actions({ of: f }: { of: FnDetail }) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<'disable' | 'delete'>();
  const may = useMay('operator');
  const change = useSetFunctionState();
  const remove = useDeleteFunction();
  const navigate = useNavigate();
  const close = () => setAsked(undefined);
  if (!may) return null;
  return (
    <>
      {f.state === 'disabled' && <Button isLoading={change.isPending} onClick={() => change.mutate({ name: f.id, state: 'active' })}>Enable</Button>}
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        onSelect={() => setOpen(false)}
        popperProps={{ position: 'right' }}
        toggle={(ref) => <MenuToggle ref={ref} variant="secondary" isExpanded={open} onClick={() => setOpen(!open)}>Actions</MenuToggle>}
      >
        <DropdownList>
          <DropdownItem description="calls answer 410; all is kept" isDisabled={f.state === 'disabled'} onClick={() => setAsked('disable')}>Disable…</DropdownItem>
          <DropdownItem description="with all versions and its model" isDanger onClick={() => setAsked('delete')}>Delete…</DropdownItem>
        </DropdownList>
      </Dropdown>
      {asked === 'disable' && (
        <Ask title={`Disable ${f.id}`} yes="Disable" reason change={change} arg={(reason) => ({ name: f.id, state: 'disabled' as const, ...(reason && { reason }) })} close={close}>
          <p>From now on every call answers 410 and its environments end; calls that run are cut off. {f.calls > 0 && <>It was called {count(f.calls)} times in the last day.</>} Code, versions, model and record stay, and Enable brings it back at once.</p>
        </Ask>
      )}
      {asked === 'delete' && (
        <Ask title={`Delete ${f.id}`} yes="Delete" danger change={remove} arg={() => f.id} close={close} done={() => void navigate('/functions')}>
          <p>The function is gone with its {plural(list(f.record.versions).length, 'version')}, its aliases and what was learned of it; its environments end. Records of its calls stay. This cannot be undone. To take it out of service and keep all, disable it.</p>
        </Ask>
      )}
    </>
  );
}
