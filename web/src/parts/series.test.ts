import { expect, test } from 'vitest';
import { columns, hours, sum } from './series';

test('columns fit, and a little is seen', () => {
  const c = columns([{ time: 0, value: 1000, bad: 1 }, { time: 1, value: 0 }, { time: 2, value: 1 }], 300, 50);
  expect(c.most).toBe(1000);
  expect(c.columns.map((x) => x.height)).toEqual([50, 0, 2]);
  expect(c.columns.map((x) => x.bad)).toEqual([2, 0, 0]);
  expect(Math.max(...c.columns.map((x) => x.x + x.width))).toBeLessThanOrEqual(300);
});

test('nothing is drawn of nothing', () => {
  expect(columns([], 300, 50)).toEqual({ columns: [], most: 0 });
  expect(columns([{ time: 0, value: 0 }], 300, 50).columns[0]!.height).toBe(0);
});

test('hours without calls are empty, and what is older is left out', () => {
  const now = Date.parse('2026-01-02T10:30:00Z');
  const rows = [{ time: '2026-01-02T10:00:00Z', n: 1 }, { time: '2026-01-02T08:00:00Z', n: 2 }, { time: '2026-01-02T08:00:00Z', n: 3 }, { time: '2026-01-01T00:00:00Z', n: 9 }, { n: 5 }];
  expect(hours(rows, now, 3).map((h) => sum(h.rows, (r) => r.n))).toEqual([5, 0, 1]);
});
