import { send, url } from './client';
import type { Params } from './client';
import type * as t from './functionTypes';
import { keys } from './keys';
import { path, useChange, useList, useOne } from './query';

// The gateway's routes.

export const useRoutes = (params: Params = {}) => useList<t.Route>(keys.routes(params), '/routes', { params: { limit: 500, ...params } });
export const useRoute = (id: string, enabled = true) => useOne<t.Route>(keys.route(id), path('routes', id), { enabled });

const touched = ['route', 'function'];

export const useWriteRoutes = () => useChange((source: string) => send<t.RoutesWritten>('POST', '/routes', { source }), ...touched);
export const useDeleteRoute = () => useChange((id: string) => send<void>('DELETE', path('routes', id)), ...touched);
export const useImportOpenAPI = () => useChange((body: t.OpenAPIRequest) => send<t.RoutesWritten>('POST', '/openapi', body), ...touched);

/** What writing would do; nothing is written. */
export const tryRoutes = (source: string) => send<t.RoutesWritten>('POST', '/routes', { source }, { dry: true });
export const tryOpenAPI = (body: t.OpenAPIRequest) => send<t.RoutesWritten>('POST', '/openapi', body, { dry: true });

/** Where the table of a stage is as an OpenAPI document. */
export const openAPIAddress = (stage: string) => url('/openapi', { stage });
