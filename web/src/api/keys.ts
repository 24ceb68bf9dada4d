import type { Params } from './client';

// Query keys. The first part is the word that stale.ts knows them by.
export const keys = {
  session: ['session'] as const,
  setup: ['setup'] as const,
  overview: ['overview'] as const,
  radar: ['radar'] as const,
  workloads: (p: Params = {}) => ['workload', 'list', p] as const,
  workload: (id: string) => ['workload', 'one', id] as const,
  profiles: () => ['profile', 'list'] as const,
  profile: (id: string) => ['profile', 'one', id] as const,
  events: (p: Params = {}) => ['event', 'list', p] as const,
  event: (id: string) => ['event', 'one', id] as const,
  eventWhy: (id: string) => ['why', 'event', id] as const,
  alerts: (p: Params = {}) => ['alert', 'list', p] as const,
  alert: (id: string) => ['alert', 'one', id] as const,
  alertWhy: (id: string) => ['why', 'alert', id] as const,
  incidents: (p: Params = {}) => ['incident', 'list', p] as const,
  incident: (id: string) => ['incident', 'one', id] as const,
  policies: () => ['policy', 'list'] as const,
  policy: (name: string) => ['policy', 'one', name] as const,
  policyHistory: (name: string) => ['policy', 'history', name] as const,
  nodes: () => ['node', 'list'] as const,
  users: () => ['user'] as const,
  tokens: () => ['token'] as const,
  audit: (p: Params = {}) => ['audit', 'list', p] as const,
  verify: () => ['audit', 'verify'] as const,
};
