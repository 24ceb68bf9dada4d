import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useLogout, useSession } from '../api/hooks';
import { UserIcon } from '../parts/icons';

export function UserMenu() {
  const [open, setOpen] = useState(false);
  const session = useSession();
  const logout = useLogout();
  const navigate = useNavigate();
  const name = session.data?.user ?? '';
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} variant="plainText" icon={<UserIcon />} isExpanded={open} onClick={() => setOpen(!open)} aria-label={`Account of ${name}`}>
          <span className="rd-wide">{name}</span>
        </MenuToggle>
      )}
    >
      <DropdownList>
        <DropdownItem isDisabled description={`role: ${session.data?.role ?? ''}`}>{name}</DropdownItem>
        <DropdownItem onClick={() => void navigate('/access?tab=me')}>Password and tokens</DropdownItem>
        <DropdownItem onClick={() => logout.mutate()}>Log out</DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}
