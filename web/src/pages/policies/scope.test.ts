import { expect, test } from 'vitest';
import { scopeText } from './scope';

test('a scope reads as words', () => {
  expect(scopeText({})).toBe('every workload');
  expect(scopeText({ workloads: ['docker/a', 'docker/b'], labels: { env: 'prod' } })).toBe('docker/a or docker/b and label env=prod');
});
