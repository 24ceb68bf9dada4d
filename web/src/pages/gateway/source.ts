import type { Route } from '../../api/functionTypes';
import { yaml } from '../../text/yaml';

/** A route as the document that writes it. What is as it would be anyway may stay in. */
export function routeSource({ id, description, owner: _, $schema: __, ...spec }: Route & { $schema?: string }): string {
  const filled = Object.fromEntries(Object.entries(spec).filter(([, v]) => !empty(v)));
  return yaml({ apiVersion: 'redoubt/v1', kind: 'Route', metadata: { name: id, ...(description && { description }) }, spec: filled });
}

const empty = (v: unknown) => v === undefined || v === null || v === '' || v === false || v === 0 || (typeof v === 'object' && Object.keys(v).length === 0);

/** Where a route's requests go, in words. */
export function targetText({ target: t }: Pick<Route, 'target'>): string {
  if (t.url) return t.url;
  if (t.lambda) return t.lambda;
  const weights = t.weights ?? [];
  if (weights.length > 0) return `${t.function} ${weights.map((w) => `version ${w.version} ${w.percent} %`).join(', ')}`;
  if (t.version) return `${t.function} version ${t.version}`;
  return t.alias && t.alias !== 'live' ? `${t.function}:${t.alias}` : (t.function ?? '');
}

/** How often a route may be called, in words; empty where nothing limits it. */
export function limitsText({ limits: l, quota: q }: Pick<Route, 'limits' | 'quota'>): string {
  return [
    l?.rate && `${l.rate} a second each`,
    l?.concurrent && `${l.concurrent} at once each`,
    l?.route_rate && `${l.route_rate} a second in all`,
    l?.route_concurrent && `${l.route_concurrent} at once in all`,
    q?.day && `${q.day} a day each`,
    q?.month && `${q.month} a month each`,
  ].filter(Boolean).join(', ');
}
