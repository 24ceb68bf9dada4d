import { expect, test } from 'vitest';
import { grantLines, roleText, unused } from './role';

test('a role reads the same whatever its order', () => {
  expect(roleText({})).toBe('role: {}\n');
  expect(roleText({ secrets: ['b', 'a'], egress: ['api.example.com:443'], aws: [] })).toBe('role:\n  egress:\n    - "api.example.com:443"\n  secrets:\n    - a\n    - b\n');
});

test('grants are compared line by line', () => {
  expect(grantLines({ secrets: ['k'], egress: ['b:1', 'a:1'] })).toBe('egress: a:1\negress: b:1\nsecrets: k');
  expect(grantLines({})).toBe('nothing');
});

test('a grant without a last use was never used', () => {
  expect(unused({ field: 'egress', grant: 'x', days: 3 })).toBe(true);
  expect(unused({ field: 'egress', grant: 'x', days: 3, last: '2026-01-01T00:00:00Z' })).toBe(false);
});
