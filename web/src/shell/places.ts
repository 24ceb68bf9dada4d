/** The pages of the navigation, with the letter that goes there after "g". */
export const places: { path: string; name: string; key: string }[] = [
  { path: '/', name: 'Overview', key: 'o' },
  { path: '/radar', name: 'Radar', key: 'r' },
  { path: '/workloads', name: 'Workloads', key: 'w' },
  { path: '/incidents', name: 'Incidents', key: 'i' },
  { path: '/alerts', name: 'Alerts', key: 'a' },
  { path: '/events', name: 'Events', key: 'e' },
  { path: '/policies', name: 'Policies', key: 'p' },
  { path: '/nodes', name: 'Nodes', key: 'n' },
  { path: '/access', name: 'Access', key: 'c' },
  { path: '/audit', name: 'Audit trail', key: 't' },
];
