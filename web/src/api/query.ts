import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { QueryKey } from '@tanstack/react-query';
import { get } from './client';
import type { Params } from './client';
import { list } from './types';
import type { Page } from './types';

// What every hook is made of.

/** A path of the API; its parts may hold anything. */
export const path = (...parts: string[]) => `/${parts.map(encodeURIComponent).join('/')}`;

interface How { enabled?: boolean; params?: Params; every?: number | false }

export function useOne<T>(key: QueryKey, target: string, { enabled = true, params = {}, every = false }: How = {}) {
  return useQuery({ queryKey: key, enabled, refetchInterval: every, queryFn: ({ signal }) => get<T>(target, params, signal) });
}

export function useList<T>(key: QueryKey, target: string, { enabled = true, params = {}, every = false }: How = {}) {
  const query = useInfiniteQuery({
    queryKey: key,
    enabled,
    refetchInterval: every,
    placeholderData: keepPreviousData,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => get<Page<T>>(target, { ...params, cursor: pageParam }, signal),
    getNextPageParam: (last) => last.next || undefined,
  });
  const items = query.data?.pages.flatMap((p) => list(p.items));
  return { ...query, items, total: query.data?.pages[0]?.total };
}

/** A change; it names the parts of the record that it makes stale. */
export function useChange<A, R>(act: (arg: A) => Promise<R>, ...stale: string[]) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () => Promise.all([...stale, 'audit'].map((part) => client.invalidateQueries({ queryKey: [part] }))),
  });
}
