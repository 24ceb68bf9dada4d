import { expect, test } from 'vitest';
import type { Fn } from '../../api/functionTypes';
import { only, ordered } from './order';

const fn = (id: string, calls: number, more: Partial<Fn> = {}) => ({ id, calls, errors: 0, runtime: 'nodejs', ...more }) as Fn;
const all = [fn('b', 1, { last: '2026-01-01T00:00:00Z', errors: 1 }), fn('a', 2, { risks: ['x'] }), fn('c', 1)];
const ids = (l: Fn[]) => l.map((f) => f.id).join('');

test('functions are ordered as asked, alike ones by name', () => {
  expect(ids(ordered(all, ''))).toBe('abc');
  expect(ids(ordered(all, '-name'))).toBe('cba');
  expect(ids(ordered(all, 'calls'))).toBe('bca');
  expect(ids(ordered(all, '-calls'))).toBe('abc');
  expect(ids(ordered(all, '-last'))).toBe('bac');
  expect(ids(ordered(all, 'nonsense'))).toBe('abc');
});

test('only some are shown', () => {
  expect(ids(only(all, 'risks'))).toBe('a');
  expect(ids(only(all, 'errors'))).toBe('b');
  expect(ids(only(all, 'unused'))).toBe('ac');
  expect(ids(only(all, ''))).toBe('bac');
});
