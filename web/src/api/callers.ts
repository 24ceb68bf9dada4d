import { useMutation, useQuery } from '@tanstack/react-query';
import { send } from './client';
import type { Params } from './client';
import type * as t from './functionTypes';
import { keys } from './keys';
import { path, useChange, useList, useOne } from './query';

// Who calls functions, with what, and what they may do.

export const usePrincipals = () => useList<t.Principal>(keys.principals(), '/principals', { params: { limit: 500 } });
export const useCallerKeys = (params: Params = {}) => useList<t.Key>(keys.callerKeys(params), '/keys', { params: { limit: 500, ...params } });
export const useAccessPolicies = () => useList<t.AccessPolicy>(keys.accessPolicies(), '/access/policies');
export const useAccessPolicy = (name: string, enabled = true) => useOne<t.AccessPolicy>(keys.accessPolicy(name), path('access', 'policies', name), { enabled });
export const useAccessHistory = (name: string) => useList<t.AccessPolicy>(keys.accessHistory(name), path('access', 'policies', name, 'history'));
export const useAccessFindings = () => useOne<t.AccessFindings>(keys.accessFindings(), '/access/findings');
export const useVocabulary = () => useOne<t.Vocabulary>(keys.vocabulary(), '/access/vocabulary');

// Changing.

export const usePutPrincipal = () => useChange(({ id, ...body }: t.PrincipalRequest & { id: string }) => send<t.Principal>('PUT', path('principals', id), body), 'caller', 'access');
export const useSwitchPrincipal = () => useChange(({ id, ...body }: { id: string; disabled: boolean; reason?: string }) => send<t.Principal>('POST', path('principals', id, 'state'), body), 'caller', 'access');
export const useRevokePrincipal = () => useChange((id: string) => send<t.Principal>('POST', path('principals', id, 'revoke')), 'caller');
export const useDeletePrincipal = () => useChange((id: string) => send<void>('DELETE', path('principals', id)), 'caller', 'access');
export const useMakeAccessToken = () => useChange(({ id, ...body }: { id: string; ttl?: string; audience?: string; once?: boolean }) => send<t.AccessToken>('POST', path('principals', id, 'tokens'), body), 'caller');
export const useMakeKey = () => useChange((body: t.KeyRequest) => send<t.NewKey>('POST', '/keys', body), 'caller');
export const useSwitchKey = () => useChange(({ id, disabled }: { id: string; disabled: boolean }) => send<t.Key>('POST', path('keys', id, 'state'), { disabled }), 'caller');
export const useDeleteKey = () => useChange((id: string) => send<void>('DELETE', path('keys', id)), 'caller');
export const usePutAccessPolicy = () =>
  useChange(({ name, ...body }: { name: string; cedar: string; description?: string; disabled?: boolean; revision?: number }) => send<t.AccessPolicy>('PUT', path('access', 'policies', name), body), 'access');
export const useDeleteAccessPolicy = () => useChange((name: string) => send<void>('DELETE', path('access', 'policies', name)), 'access');

// Asking.

/** What is wrong with a text, tried again whenever it changes. Nothing is saved. */
export const checkAccess = (body: t.AccessCheckRequest) => send<t.AccessCheck>('POST', '/access/check', body);
export const useSimulate = () => useMutation({ mutationFn: (body: t.SimulateRequest) => send<t.Simulation>('POST', '/access/simulate', body) });

export interface WhoAsk { action: string; resource: string; from?: string }

export const useWhoCan = (ask: WhoAsk | undefined) =>
  useQuery({
    queryKey: keys.whoCan(ask),
    enabled: ask !== undefined,
    queryFn: () => send<t.AccessList>('POST', '/access/who-can', { action: ask!.action, resource: ask!.resource, ...(ask!.from && { context: { from: ask!.from } }) }),
  });
export const useWhatCan = (principal: string | undefined) =>
  useQuery({ queryKey: keys.whatCan(principal), enabled: !!principal, queryFn: () => send<t.AccessList>('POST', '/access/what-can', { principal }) });
