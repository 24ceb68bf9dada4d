import type { Alert, Severity } from '../../api/types';

export type AlertGrouping = '' | 'rule' | 'workload' | 'technique';

export interface Group { name: string; alerts: Alert[]; count: number; worst: Severity }

const order: Severity[] = ['none', 'low', 'medium', 'high', 'critical'];

/** Alerts in groups, the most urgent and then the largest first. */
export function grouped(alerts: readonly Alert[], by: AlertGrouping): Group[] {
  const found = new Map<string, Alert[]>();
  for (const a of alerts) {
    const name = nameFor(a, by);
    const group = found.get(name);
    if (group) group.push(a);
    else found.set(name, [a]);
  }
  return [...found]
    .map(([name, all]) => ({
      name,
      alerts: all,
      count: all.reduce((sum, a) => sum + a.count, 0),
      worst: all.reduce<Severity>((worst, a) => (rank(a.severity) > rank(worst) ? a.severity : worst), 'none'),
    }))
    .toSorted((a, b) => rank(b.worst) - rank(a.worst) || b.count - a.count || a.name.localeCompare(b.name));
}

const rank = (s: Severity) => order.indexOf(s);

function nameFor(a: Alert, by: AlertGrouping): string {
  switch (by) {
    case 'rule':
      return a.verdict.rule || 'no rule';
    case 'workload':
      return a.workload.name || a.workload.id;
    case 'technique':
      return a.verdict.technique || 'no technique';
    default:
      return '';
  }
}
