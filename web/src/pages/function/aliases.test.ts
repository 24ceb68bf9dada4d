import { expect, test } from 'vitest';
import { aliasesOf, sharesText, withCanary, wrongShares } from './aliases';

const w = (version: number, percent: number) => ({ version, percent });

test('live comes first', () => {
  const all = aliasesOf({ aliases: { beta: { weights: [w(2, 100)] }, live: { weights: [w(1, 100)], previous: null }, alpha: { weights: null } } });
  expect(all.map((a) => a.name)).toEqual(['live', 'alpha', 'beta']);
  expect(all[1]).toEqual({ name: 'alpha', weights: [], previous: [] });
});

test('shares in words', () => {
  expect(sharesText([])).toBe('no version');
  expect(sharesText([w(3, 100)])).toBe('version 3');
  expect(sharesText([w(3, 90), w(4, 10)])).toBe('version 3 (90 %) and version 4 (10 %)');
});

test('shares are checked', () => {
  expect(wrongShares([w(1, 100)])).toBeUndefined();
  expect(wrongShares([])).toMatch(/at least one/);
  expect(wrongShares([w(1, 90), w(2, 5)])).toMatch(/add up to 95/);
  expect(wrongShares([w(1, 99.5), w(2, 0.5)])).toMatch(/whole number/);
});

test('a canary takes its share from the largest', () => {
  expect(withCanary([w(1, 100)], 2)).toEqual([w(1, 90), w(2, 10)]);
  expect(withCanary([w(1, 60), w(3, 40)], 2)).toEqual([w(1, 50), w(3, 40), w(2, 10)]);
  expect(withCanary([w(1, 70), w(2, 30)], 2)).toEqual([w(1, 90), w(2, 10)]);
  expect(withCanary([], 2)).toEqual([w(2, 100)]);
});
