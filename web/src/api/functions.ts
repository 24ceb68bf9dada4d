import { useQueryClient } from '@tanstack/react-query';
import { get, send } from './client';
import type { Params } from './client';
import type * as t from './functionTypes';
import { keys } from './keys';
import { path, useChange, useList, useOne } from './query';
import { useLive } from './stream';

const often = 5000; // ms between two looks at what the stream does not tell

/** How often to look again: never while the page is to stand still. */
export function useOften(ms = often): number | false {
  return useLive().live === 'live' ? ms : false;
}

// Reading.

export const useFunctions = (params: Params = {}) => useList<t.Fn>(keys.functions(params), '/functions', { params, every: useOften(10_000) });
export const useFunction = (name: string) => useOne<t.FnDetail>(keys.function(name), path('functions', name), { every: useOften() });
export const useUsage = (params: Params, enabled = true) => useOne<t.Usage>(keys.usage(params), '/usage', { params, enabled, every: useOften(10_000) });
export const useFindings = (params: Params = {}) => useOne<t.Findings>(keys.findings(params), '/findings', { params });
export const useEnvironments = (params: Params = {}) => useOne<t.Environments>(keys.environments(params), '/environments', { params, every: useOften() });
export const useInvocations = (params: Params) => useList<t.Invocation>(keys.invocations(params), '/invocations', { params, every: useOften() });
export const useInvocation = (id: string) => useOne<t.Invocation>(keys.invocation(id), path('invocations', id), { enabled: id !== '' });
export const useLines = (name: string, params: Params, enabled = true) => useList<t.LogLine>(keys.lines(name, params), path('functions', name, 'lines'), { params, enabled });
export const useModel = (name: string) => useOne<t.FnModel>(keys.model(name), path('functions', name, 'model'), { every: useOften() });
export const usePrivileges = (name: string) => useOne<t.Privileges>(keys.privileges(name), path('functions', name, 'privileges'));
export const useFunctionMap = (params: Params = {}) => useOne<t.FnMap>(keys.functionMap(params), '/map', { params, every: useOften(10_000) });

/** What was printed after a mark; -1 asks where the end is. */
export const followLines = (name: string, after: number, signal?: AbortSignal) =>
  get<t.Lines>(path('functions', name, 'lines', 'follow'), { after }, signal);

// Changing.

const touched = ['function', 'alert', 'overview'];

/** Keeps the function an answer holds, so that the page shows it at once. */
function useFunctionChange<A>(act: (arg: A) => Promise<t.FnDetail>, ...stale: string[]) {
  const client = useQueryClient();
  return useChange(async (arg: A) => {
    const f = await act(arg);
    client.setQueryData(keys.function(f.id), f);
    return f;
  }, ...touched, ...stale);
}

export interface StateChange { name: string; state: t.FnState; reason?: string }

export const useSetFunctionState = () =>
  useFunctionChange(({ name, ...body }: StateChange) => send('POST', path('functions', name, 'state'), body));
export const useRollback = (name: string) =>
  useFunctionChange((body: { alias: string; revision: number }) => send('POST', path('functions', name, 'rollback'), body));
export const usePutAlias = (name: string) =>
  useFunctionChange(({ alias, ...body }: { alias: string; weights: t.Weight[]; revision: number }) => send('PUT', path('functions', name, 'aliases', alias), body));
export const useDeleteAlias = (name: string) => useChange((alias: string) => send<void>('DELETE', path('functions', name, 'aliases', alias)), ...touched);
export const useDeleteVersion = () =>
  useChange(({ name, version }: { name: string; version: number }) => send<void>('DELETE', path('functions', name, 'versions', String(version))), ...touched);
export const useDeleteFunction = () => useChange((name: string) => send<void>('DELETE', path('functions', name)), ...touched);
export const useInvoke = (name: string) =>
  useChange((body: { payload: string; qualifier?: string; async?: boolean }) => send<t.Invoked>('POST', path('functions', name, 'invocations'), body), ...touched, 'invocation');

export const useSetModelState = (name: string) =>
  useChange((state: 'learning' | 'observing' | 'enforcing') => send<t.FnModel>('POST', path('functions', name, 'model', 'state'), { state }), ...touched);
export const useRelearn = (name: string) => useChange(() => send<t.FnModel>('POST', path('functions', name, 'model', 'relearn')), ...touched);
export const useEditModel = (name: string) => useChange((body: t.ModelChange) => send<t.FnModel>('POST', path('functions', name, 'model', 'entries'), body), ...touched);
export const useAdopt = (name: string) =>
  useFunctionChange((body: { version: number; revision: number }) => send('POST', path('functions', name, 'privileges', 'adopt'), body));
