import { expect, test } from 'vitest';
import type { Alert } from '../../api/types';
import { grouped } from './group';

const alert = (id: string, more: Partial<Alert>): Alert => ({
  id, time: '', first: '', kind: 'exec', title: id, node: 'n', workload: { id: 'docker/web', kind: 'container', name: 'web' },
  verdict: { effect: 'alert' }, severity: 'low', count: 1, event: 'e1', status: 'open', ...more,
});

test('groups lose no alert and no count, the urgent one comes first', () => {
  const all = [
    alert('a1', { verdict: { effect: 'alert', technique: 'T1046' }, count: 5 }),
    alert('a2', { verdict: { effect: 'alert', technique: 'T1059' }, severity: 'critical' }),
    alert('a3', { verdict: { effect: 'alert', technique: 'T1046' }, severity: 'medium' }),
    alert('a4', {}),
  ];
  const got = grouped(all, 'technique');
  expect(got.map((g) => [g.name, g.worst, g.count])).toEqual([['T1059', 'critical', 1], ['T1046', 'medium', 6], ['no technique', 'low', 1]]);
  expect(got.flatMap((g) => g.alerts)).toHaveLength(all.length);
  expect(grouped([], 'rule')).toEqual([]);
  expect(grouped(all, '')).toHaveLength(1);
});
