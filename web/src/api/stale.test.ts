import { expect, test } from 'vitest';
import { Stale } from './stale';

test('the first message counts at once, a burst once per gap', () => {
  const s = new Stale();
  s.mark('alert', 0);
  expect(s.take(0)).toContain('alert');
  for (let now = 10; now < 900; now += 10) s.mark('alert', now);
  expect(s.take(900)).toEqual([]);
  expect(s.wait(900)).toBe(100);
  expect(s.take(1000)).toContain('alert');
  expect(s.take(5000)).not.toContain('alert');
});

test('pages that sum up are fetched less often', () => {
  const s = new Stale();
  let fetched = 0;
  for (let now = 0; now <= 10_000; now += 100) {
    s.mark('event', now);
    if (s.take(now).includes('radar')) fetched++;
  }
  expect(fetched).toBe(3);
});

test('missed messages make everything stale', () => {
  const s = new Stale();
  s.mark('missed', 0);
  expect(s.take(0).toSorted()).toEqual(['alert', 'event', 'incident', 'node', 'overview', 'policy', 'profile', 'radar', 'why', 'workload']);
});

test('an unknown type makes nothing stale', () => {
  const s = new Stale();
  s.mark('weather', 0);
  expect(s.wait(0)).toBeUndefined();
});
