import { expect, test } from 'vitest';
import { ApiError } from '../api/client';
import { problemsOf } from './problems';

test('line numbers are found in a refusal', () => {
  const e = new ApiError(422, 'Unprocessable', 'line 7: unknown effect "stop"', [{ message: 'line 9, column 3: rule has no name' }, { message: 'no line here' }]);
  expect(problemsOf(e)).toEqual([{ line: 9, column: 3, message: 'rule has no name' }, { line: 7, message: 'unknown effect "stop"' }]);
  expect(problemsOf(new ApiError(500, 'x', 'y'), [{ line: 1, message: 'z' }])).toEqual([{ line: 1, message: 'z' }]);
  expect(problemsOf(undefined)).toEqual([]);
});
