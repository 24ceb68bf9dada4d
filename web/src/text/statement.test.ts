import { expect, test } from 'vitest';
import { policyOf } from './statement';

test('a statement names its policy', () => {
  expect(policyOf('shop#2')).toBe('shop');
  expect(policyOf('shop')).toBe('shop');
});
