import { describe, expect, test } from 'vitest';
import type { Entry, Process } from '../api/types';
import { allows, chain, command, summary } from './entry';
import { nameOf, withDisabled, yaml } from './yaml';

const entry = (e: Partial<Entry>): Entry => ({ id: 'x', kind: 'exec', source: 'learned', count: 1, units: 1, ...e });

describe('D16 an entry says what it allows', () => {
  test.each<[Partial<Entry>, string]>([
    [{ exec: { path: '/bin/netstat', parent: '/bin/sh', args: ['netstat', '-t'] } }, '/bin/netstat started by /bin/sh, arguments -t'],
    [{ exec: { path: '/e.sh', parent: 'outside', args: ['/bin/sh', '/e.sh'] } }, '/e.sh started by somebody outside the workload, arguments /bin/sh /e.sh'],
    [{ exec: { path: '/bin/x' } }, '/bin/x started by anything, any arguments'],
    [{ exec: { path: '/bin/x', args: ['*'] } }, '/bin/x started by anything, no arguments'],
    [{ kind: 'listen', listen: { proto: 'tcp', port: 0, path: '/n' } }, 'listen on any ephemeral port/tcp by /n'],
    [{ kind: 'connect', connect: { proto: 'udp', peer: 'any', port: 53 } }, 'connect to any port 53/udp by any program'],
  ])('%j', (e, text) => expect(allows(entry(e))).toBe(text));
});

test('D5 names from outside are escaped in every line', () => {
  const process: Process = { pid: 1, path: '/tmp/a\x1b[2J', args: ['a', 'b\n'], uid: 0 };
  expect(summary({ kind: 'exec', process })).toBe('/tmp/a\\e[2J b\\n');
  expect(summary({ kind: 'exit', process, exit: 137 })).toBe('/tmp/a\\e[2J ended with 137');
  expect(summary({ kind: 'action', note: 'x\u202ey' })).toBe('x\\u{202e}y');
  expect(command({ ...process, truncated: true })).toMatch(/ …$/);
});

test('a chain starts at the oldest and ends even when it never would', () => {
  const ring: Process = { pid: 1, path: '/a', uid: 0 };
  ring.parent = ring;
  expect(chain(ring)).toHaveLength(64);
  expect(chain({ pid: 2, path: '/b', uid: 0, parent: { pid: 1, path: '/a', uid: 0 } }).map((p) => p.pid)).toEqual([1, 2]);
  expect(chain(undefined)).toEqual([]);
});

describe('yaml', () => {
  test('a rule', () => {
    expect(yaml({ name: 'no netstat', exec: { paths: ['/bin/*'], entered: true }, effect: 'prevent' })).toBe(
      'name: no netstat\nexec:\n  paths:\n    - "/bin/*"\n  entered: true\neffect: prevent\n');
  });
  test('what YAML would read as something else is quoted', () => {
    expect(yaml({ a: 'yes', b: '', c: 'a: b', d: '80', e: [] })).toBe('a: "yes"\nb: ""\nc: "a: b"\nd: "80"\ne: []\n');
  });
  test('a list of objects', () => {
    expect(yaml({ rules: [{ name: 'a', effect: 'alert' }, { name: 'b' }] })).toBe('rules:\n  - name: a\n    effect: alert\n  - name: b\n');
  });
  const source = '# why\napiVersion: redoubt/v1\nkind: Policy\nmetadata:\n  # the shop\n  name: "web"  # mine\nspec:\n  rules:\n    - name: x\n      disabled: no\n';
  test('disabling changes one line and enabling takes it back', () => {
    const off = withDisabled(source, true);
    expect(off).toBe(source.replace('spec:\n', 'spec:\n  disabled: true\n'));
    expect(withDisabled(off, true)).toBe(off);
    expect(withDisabled(off, false)).toBe(source);
    expect(withDisabled(source, false)).toBe(source);
    expect(withDisabled('spec: {}\n', true)).toBe('spec: {}\n');
  });
  test('the name is the one in the metadata', () => {
    expect(nameOf(source)).toBe('web');
    expect(nameOf('metadata: {description: x, name: shop}\n')).toBe('shop');
    expect(nameOf('metadata:\n  description: x\nspec:\n  name: no\n')).toBeUndefined();
    expect(nameOf('name: no\n')).toBeUndefined();
  });
});
