import { expect, test } from 'vitest';
import type { ModelEntry } from '../../api/functionTypes';
import { byKind, sought } from './entries';

const entry = (kind: string, target: string, more: Partial<ModelEntry> = {}) => ({ id: `${kind}${target}`, kind, target, source: 'learned', count: 1, units: 1, ...more }) as ModelEntry;
const all = [entry('write', '/tmp/a'), entry('egress', 'api.example.com:443'), entry('exec', '/bin/sh', { note: 'why' }), entry('egress', 'b:80'), entry('odd', 'x')];

test('kinds come in the order of reading, unknown ones last', () => {
  expect(byKind(all).map(([k, e]) => [k, e.length])).toEqual([['exec', 1], ['egress', 2], ['write', 1], ['odd', 1]]);
});

test('every word must occur somewhere', () => {
  expect(sought(all, 'connect EXAMPLE').map((e) => e.target)).toEqual(['api.example.com:443']);
  expect(sought(all, 'why').map((e) => e.target)).toEqual(['/bin/sh']);
  expect(sought(all, 'why not')).toEqual([]);
  expect(sought(all, '')).toHaveLength(5);
});
