export interface Place { path: string; name: string; key: string; group?: string }

/** The pages of the navigation, with the letter that goes there after "g". */
export const places: Place[] = [
  { path: '/', name: 'Overview', key: 'o' },
  { path: '/radar', name: 'Radar', key: 'r' },
  { path: '/workloads', name: 'Workloads', key: 'w' },
  { path: '/incidents', name: 'Incidents', key: 'i' },
  { path: '/alerts', name: 'Alerts', key: 'a' },
  { path: '/events', name: 'Events', key: 'e' },
  { path: '/policies', name: 'Policies', key: 'p' },
  { path: '/functions', name: 'Functions', key: 'f', group: 'Serverless' },
  { path: '/gateway', name: 'Gateway', key: 'g', group: 'Serverless' },
  { path: '/callers', name: 'Callers', key: 'l', group: 'Serverless' },
  { path: '/nodes', name: 'Nodes', key: 'n' },
  { path: '/access', name: 'Access', key: 'c' },
  { path: '/audit', name: 'Audit trail', key: 't' },
];

/** The places in their order, those of a group together. */
export function grouped(all: readonly Place[]): { group: string; places: Place[] }[] {
  const out: { group: string; places: Place[] }[] = [];
  for (const p of all) {
    const last = out.at(-1);
    if (last && last.group === (p.group ?? '')) last.places.push(p);
    else out.push({ group: p.group ?? '', places: [p] });
  }
  return out;
}
