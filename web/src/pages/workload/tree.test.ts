import { expect, test } from 'vitest';
import type { Entry } from '../../api/types';
import { compare, processTree, search } from './tree';

const exec = (id: string, path: string, parent?: string): Entry =>
  ({ id, kind: 'exec', source: 'learned', count: 1, units: 1, exec: { path, ...(parent ? { parent } : {}) } });

test('programs stand below those that start them', () => {
  const tree = processTree([exec('3', '/bin/sed', '/entry.sh'), exec('1', '/entry.sh'), exec('2', '/usr/sbin/nginx', '/entry.sh'), exec('4', '/usr/sbin/nginx', '/usr/sbin/nginx')]);
  expect(tree.map((t) => [t.path, t.depth, t.entries.map((e) => e.id)])).toEqual([
    ['/entry.sh', 0, ['1']],
    ['/bin/sed', 1, ['3']],
    ['/usr/sbin/nginx', 1, ['2']],
    ['/usr/sbin/nginx', 2, ['4']],
  ]);
});

test('a parent outside the profile is named, a ring ends, no entry is lost', () => {
  const entries = [exec('1', '/b', '/a'), exec('2', '/a', '/b'), exec('3', '/x', '/outside'), exec('4', '/self', '/self')];
  const tree = processTree(entries);
  expect(new Set(tree.flatMap((t) => t.entries.map((e) => e.id)))).toEqual(new Set(['1', '2', '3', '4']));
  expect(tree.find((t) => t.path === '/outside')).toMatchObject({ depth: 0, entries: [] });
  expect(processTree([])).toEqual([]);
});

test('search takes every word', () => {
  const entries = [exec('1', '/bin/sed', '/entry.sh'), exec('2', '/bin/ls')];
  expect(search(entries, 'SED entry').map((e) => e.id)).toEqual(['1']);
  expect(search(entries, '')).toHaveLength(2);
});

test('import says what it adds, removes and keeps', () => {
  const got = compare([exec('1', '/a'), exec('2', '/b')], [exec('2', '/b'), exec('3', '/c')]);
  expect([got.added.map((e) => e.id), got.removed.map((e) => e.id), got.kept]).toEqual([['3'], ['1'], 1]);
});
