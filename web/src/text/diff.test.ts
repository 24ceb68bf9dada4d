import { expect, test } from 'vitest';
import { diff, fold, pretty } from './diff';

test('A15 diff keeps what is the same', () => {
  expect(diff('a\nb\nc', 'a\nx\nc')).toEqual([[' ', 'a'], ['-', 'b'], ['+', 'x'], [' ', 'c']]);
  expect(diff('', 'a')).toEqual([['+', 'a']]);
  expect(diff('a', '')).toEqual([['-', 'a']]);
  expect(diff('', '')).toEqual([]);
});

test('A15 both documents can be read out of the diff', () => {
  const before = pretty('{"a":1,"b":[1,2,3],"c":"x"}');
  const after = pretty('{"a":1,"b":[2,3,4],"d":"x"}');
  const got = diff(before, after);
  expect(got.filter(([s]) => s !== '+').map(([, l]) => l).join('\n')).toBe(before);
  expect(got.filter(([s]) => s !== '-').map(([, l]) => l).join('\n')).toBe(after);
});

test('long stretches without a change are folded', () => {
  const lines = Array.from({ length: 30 }, (_, i) => `l${i}`);
  const got = fold(diff(lines.join('\n'), lines.with(15, 'new').join('\n')));
  expect(got[0]).toBe(12);
  expect(got.at(-1)).toBe(11);
  expect(got).toHaveLength(1 + 3 + 2 + 3 + 1);
});

test('text that is no JSON stays', () => expect(pretty('{oops')).toBe('{oops'));
