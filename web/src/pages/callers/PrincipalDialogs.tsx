import { Dropdown, DropdownItem, DropdownList, Form, MenuToggle } from '@patternfly/react-core';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useDeletePrincipal, usePutPrincipal, useRevokePrincipal, useSwitchPrincipal } from '../../api/callers';
import type { Principal } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Ask } from '../../parts/Ask';
import { Field } from '../../parts/Field';
import { EllipsisVIcon } from '../../parts/icons';
import { plural } from '../../text/number';
import { KeyDialog } from './KeyDialog';
import { principalProblem, words } from './names';
import { TokenDialog } from './TokenDialog';

/** Makes a principal or changes one. */
export function PrincipalDialog({ of: p, close }: { of?: Principal; close: () => void }) {
  const [id, setId] = useState(p?.id ?? '');
  const [groups, setGroups] = useState(list(p?.groups).join(', '));
  const [tenant, setTenant] = useState(p?.tenant ?? '');
  const [sources, setSources] = useState(list(p?.sources).join(', '));
  const wrong = id !== '' && principalProblem(id);
  return (
    <Ask
      title={p ? `Change ${p.id}` : 'Add a principal'}
      yes="Save"
      change={usePutPrincipal()}
      ready={id !== '' && !wrong}
      arg={() => ({ id, groups: words(groups), sources: words(sources), ...(tenant.trim() && { tenant: tenant.trim() }) })}
      close={close}
    >
      <Form onSubmit={(e) => e.preventDefault()}>
        {!p && <Field id="principal-id" label="Principal" value={id} set={setId} wrong={wrong} help="user/NAME, role/NAME, service/NAME or function/NAME" complete="off" />}
        <Field id="principal-groups" label="Groups" value={groups} set={setGroups} optional help="Divided by commas; policies can permit things to a group." complete="off" />
        <Field id="principal-tenant" label="Tenant" value={tenant} set={setTenant} optional help="Whose data it works on" complete="off" />
        <Field id="principal-sources" label="Comes in by" value={sources} set={setSources} optional help="password, oidc:ISSUER, cert, workload, inside; keys always may" complete="off" />
        {p && <p className="rd-sub">Its tokens end with the change; it gets new ones by proving itself again.</p>}
      </Form>
    </Ask>
  );
}

type Asked = 'change' | 'key' | 'token' | 'switch' | 'revoke' | 'delete';

/** Everything one can do to a principal. */
export function PrincipalMenu({ of: p }: { of: Principal }) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const navigate = useNavigate();
  const item = (what: Asked, says: string, danger = false) => <DropdownItem key={what} isDanger={danger} onClick={() => setAsked(what)}>{says}</DropdownItem>;
  return (
    <>
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        onSelect={() => setOpen(false)}
        popperProps={{ position: 'right' }}
        toggle={(ref) => <MenuToggle ref={ref} variant="plain" isExpanded={open} onClick={() => setOpen(!open)} icon={<EllipsisVIcon />} aria-label={`Actions for ${p.id}`} />}
      >
        <DropdownList>
          {item('change', 'Change…')}
          {item('key', 'Make a key…')}
          {item('token', 'Make a token for 15 minutes…')}
          <DropdownItem key="can" onClick={() => void navigate(`/callers?tab=who&principal=${encodeURIComponent(p.id)}`)}>What it can do</DropdownItem>
          {item('revoke', 'End its tokens…')}
          {item('switch', p.disabled ? 'Let it in again…' : 'Lock it out…', !p.disabled)}
          {item('delete', 'Remove…', true)}
        </DropdownList>
      </Dropdown>
      {asked && <Dialog asked={asked} of={p} close={() => setAsked(undefined)} />}
    </>
  );
}

function Dialog({ asked, of: p, close }: { asked: Asked; of: Principal; close: () => void }) {
  const [change, revoke, remove] = [useSwitchPrincipal(), useRevokePrincipal(), useDeletePrincipal()];
  switch (asked) {
    case 'change':
      return <PrincipalDialog of={p} close={close} />;
    case 'key':
      return <KeyDialog principal={p.id} close={close} />;
    case 'token':
      return <TokenDialog principal={p.id} close={close} />;
    case 'switch':
      return (
        <Ask title={p.disabled ? `Let ${p.id} in again` : `Lock ${p.id} out`} yes={p.disabled ? 'Let it in' : 'Lock it out'} danger={!p.disabled} reason={!p.disabled} change={change} arg={(reason) => ({ id: p.id, disabled: !p.disabled, ...(reason && { reason }) })} close={close}>
          <p>{p.disabled ? 'It can prove itself and call again; keys that were not disabled work again.' : 'From now on no proof of it is taken: neither keys nor tokens, those that are out included. Nothing is deleted.'}</p>
        </Ask>
      );
    case 'revoke':
      return (
        <Ask title={`End the tokens of ${p.id}`} yes="End them" change={revoke} arg={() => p.id} close={close}>
          <p>Tokens and temporary credentials that are out end at once. Its {plural(p.keys, 'key')} and passwords stay good: to end a key, see <Link to={`/callers?tab=keys&principal=${encodeURIComponent(p.id)}`} onClick={close}>its keys</Link>.</p>
        </Ask>
      );
    case 'delete':
      return (
        <Ask title={`Remove ${p.id}`} yes="Remove" danger change={remove} arg={() => p.id} close={close}>
          <p>It is gone with {plural(p.keys, 'key')}, and its tokens end at once. Policies that name it stay as they are. What it did stays on record.</p>
        </Ask>
      );
  }
}
