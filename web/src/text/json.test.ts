import { expect, test } from 'vitest';
import { jsonProblem } from './json';

test('JSON has no problem', () => expect(jsonProblem('{"a": [1, null]}')).toBeUndefined());

test('what is none is found where it stops', () => {
  expect(jsonProblem('{\n  "a": 1,\n  b\n}')).toMatchObject({ line: 3, column: 3 });
  expect(jsonProblem('{"a": ')).toMatchObject({ line: 1, column: 7 });
  expect(jsonProblem('hello')?.message).toMatch(/^This is no JSON: Unexpected token/);
});
