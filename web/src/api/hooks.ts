import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { QueryClient } from '@tanstack/react-query';
import { ApiError, get, send, setCsrf } from './client';
import type { Params } from './client';
import { keys } from './keys';
import { path, useChange, useList, useOne } from './query';
import type * as t from './types';

// Reading.

/** Who is asking; null when nobody is logged in. */
export function useSession() {
  return useQuery({
    queryKey: keys.session,
    staleTime: 5 * 60_000,
    queryFn: async () => {
      try {
        const s = await get<t.Session>('/session');
        setCsrf(s.csrf);
        return s;
      } catch (e) {
        if (e instanceof ApiError && e.status === 401) return null;
        throw e;
      }
    },
  });
}

export function useSetup(enabled = true) {
  return useQuery({ queryKey: keys.setup, enabled, queryFn: () => get<t.Setup>('/setup') });
}

export const useOverview = () => useOne<t.Overview>(keys.overview, '/overview');
export const useRadar = () => useOne<t.Radar>(keys.radar, '/radar');
export const useWorkloads = (p: Params = {}) => useList<t.Workload>(keys.workloads(p), '/workloads', { params: p });
export const useWorkload = (id: string) => useOne<t.Workload>(keys.workload(id), path('workloads', id));
export const useProfile = (id: string | undefined) => useOne<t.Profile>(keys.profile(id ?? ''), path('profiles', id ?? ''), { enabled: !!id });
export const useEvents = (p: Params = {}, enabled = true) => useList<t.Event>(keys.events(p), '/events', { params: p, enabled });
export const useEvent = (id: string) => useOne<t.Event>(keys.event(id), path('events', id));
export const useEventWhy = (id: string) => useOne<t.Explanation>(keys.eventWhy(id), path('events', id, 'why'));
export const useAlerts = (p: Params = {}, enabled = true) => useList<t.Alert>(keys.alerts(p), '/alerts', { params: p, enabled });
export const useAlert = (id: string) => useOne<t.Alert>(keys.alert(id), path('alerts', id));
export const useAlertWhy = (id: string) => useOne<t.Explanation>(keys.alertWhy(id), path('alerts', id, 'why'));
export const useIncidents = (p: Params = {}) => useList<t.Incident>(keys.incidents(p), '/incidents', { params: p });
export const useIncident = (id: string) => useOne<t.Incident>(keys.incident(id), path('incidents', id));
export const usePolicies = () => useList<t.PolicyDocument>(keys.policies(), '/policies');
export const usePolicy = (name: string, enabled = true) => useOne<t.PolicyDocument>(keys.policy(name), path('policies', name), { enabled });
export const usePolicyHistory = (name: string) => useList<t.PolicyRevision>(keys.policyHistory(name), path('policies', name, 'history'));
export const useNodes = () => useList<t.NodeStatus>(keys.nodes(), '/nodes');
export const useUsers = () => useList<t.User>(keys.users(), '/users');
export const useTokens = () => useList<t.Token>(keys.tokens(), '/tokens');
export const useAudit = (p: Params = {}) => useList<t.AuditEntry>(keys.audit(p), '/audit', { params: p });
export const useVerify = () => useOne<t.AuditState>(keys.verify(), '/audit/verify');

// Changing.

/** Another person: what was fetched for the one before is forgotten. */
function become(client: QueryClient, s: t.Session | null) {
  client.removeQueries({ predicate: (q) => q.queryKey[0] !== keys.session[0] });
  client.setQueryData(keys.session, s);
}

function useOpenSession<A>(target: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (who: A) => send<t.Session>('POST', target, who),
    onSuccess: (s) => {
      setCsrf(s.csrf);
      become(client, s);
    },
  });
}

export const useLogin = () => useOpenSession<{ name: string; password: string }>('/session');
export const useFirstUser = () => useOpenSession<{ token: string; name: string; password: string }>('/setup');

export function useLogout() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => send<void>('DELETE', '/session'),
    onSettled: () => {
      setCsrf('');
      become(client, null);
    },
  });
}

export interface Triage { status?: t.Status; comment?: string }

export const useTriageAlert = () =>
  useChange(({ id, ...body }: Triage & { id: string }) => send<t.Alert>('PATCH', path('alerts', id), body), 'alert', 'incident', 'overview');
export const useTriageIncident = () =>
  useChange(({ id, ...body }: Triage & { id: string }) => send<t.Incident>('PATCH', path('incidents', id), body), 'alert', 'incident', 'overview');
export const useAllow = () =>
  useChange((id: string) => send<t.Applied>('POST', path('alerts', id, 'allow')), 'alert', 'profile', 'policy', 'why', 'workload');
export const usePrevent = () =>
  useChange((id: string) => send<t.Applied>('POST', path('alerts', id, 'prevent')), 'alert', 'policy', 'why');

export const useAct = (instance: string) =>
  useChange(
    (body: { action: 'isolate' | 'release' | 'block'; reason: string }) => send<t.Workload>('POST', path('workloads', instance, 'actions'), body),
    'workload', 'radar', 'event',
  );
export const useSetState = (workload: string) =>
  useChange((state: t.State) => send<unknown>('POST', path('profiles', workload, 'state'), { state }), 'profile', 'workload', 'radar');
export const useEditEntries = (workload: string) =>
  useChange((body: { add?: t.Entry[]; remove?: string[] }) => send<unknown>('POST', path('profiles', workload, 'entries'), body), 'profile', 'workload');
export const useImportProfile = (workload: string) =>
  useChange((p: t.Profile) => send<unknown>('PUT', path('profiles', workload), p), 'profile', 'workload');

export const useSavePolicy = () =>
  useChange(({ name, source }: { name: string; source: string }) => send<t.PolicyDocument>('PUT', path('policies', name), { source }), 'policy', 'why');
export const useDeletePolicy = () => useChange((name: string) => send<void>('DELETE', path('policies', name)), 'policy', 'why');
export const previewPolicy = (source: string) => send<t.Preview>('POST', '/policies/preview', { source });

export const useForgetNode = () => useChange((id: string) => send<void>('DELETE', path('nodes', id)), 'node', 'overview');
export const useJoin = () => useChange(() => send<t.JoinToken>('POST', '/nodes/join'), 'node');

export const useSaveUser = () =>
  useChange(({ name, ...body }: { name: string; role: t.Role; password?: string }) => send<t.User>('PUT', path('users', name), body), 'user');
export const useOwnPassword = () =>
  useChange((body: { current: string; password: string }) => send<void>('PUT', '/session/password', body));
export const useDeleteUser = () => useChange((name: string) => send<void>('DELETE', path('users', name)), 'user', 'token');
export const useMakeToken = () =>
  useChange((body: { name: string; role: t.Role; days: number }) => send<t.NewToken>('POST', '/tokens', body), 'token');
export const useDeleteToken = () => useChange((id: string) => send<void>('DELETE', path('tokens', id)), 'token');
