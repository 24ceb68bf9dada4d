import { FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import type { Role } from '../../api/types';

const roles: Record<Role, string> = {
  auditor: 'auditor: reads',
  operator: 'operator: also triages, responds, writes profiles and policies',
  admin: 'admin: also manages nodes and people',
};

const order: Role[] = ['auditor', 'operator', 'admin'];

/** A choice of role, none above `most`. */
export function RoleField({ value, set, most = 'admin' }: { value: Role; set: (r: Role) => void; most?: Role }) {
  return (
    <FormGroup label="Role" fieldId="role">
      <FormSelect id="role" value={value} onChange={(_, v) => set(v as Role)}>
        {order.slice(0, order.indexOf(most) + 1).map((r) => <FormSelectOption key={r} value={r} label={roles[r]} />)}
      </FormSelect>
    </FormGroup>
  );
}
