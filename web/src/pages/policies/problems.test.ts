import { expect, test } from 'vitest';
import { ApiError } from '../../api/client';
import { problemsOf } from './problems';
import { scopeText } from './scope';

test('line numbers are found in a refusal', () => {
  const e = new ApiError(422, 'Unprocessable', 'line 7: unknown effect "stop"', [{ message: 'line 9, column 3: rule has no name' }, { message: 'no line here' }]);
  expect(problemsOf(e)).toEqual([{ line: 9, column: 3, message: 'rule has no name' }, { line: 7, message: 'unknown effect "stop"' }]);
  expect(problemsOf(new ApiError(500, 'x', 'y'), [{ line: 1, message: 'z' }])).toEqual([{ line: 1, message: 'z' }]);
  expect(problemsOf(undefined)).toEqual([]);
});

test('a scope reads as words', () => {
  expect(scopeText({})).toBe('every workload');
  expect(scopeText({ workloads: ['docker/a', 'docker/b'], labels: { env: 'prod' } })).toBe('docker/a or docker/b and label env=prod');
});
