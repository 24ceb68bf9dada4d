import { useSession } from '../api/hooks';
import type { Role } from '../api/types';

const rank: Record<Role, number> = { auditor: 0, operator: 1, admin: 2 };

/** Whether whoever is logged in has at least this role. The console decides; this only spares dead buttons. */
export function useMay(role: Role): boolean {
  const session = useSession();
  return rank[(session.data?.role ?? 'auditor') as Role] >= rank[role];
}
