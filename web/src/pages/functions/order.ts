import { list } from '../../api/types';
import type { Fn } from '../../api/functionTypes';
import { sortOf } from '../../parts/sort';

type Value = (f: Fn) => number | string;

const values: Record<string, Value> = {
  name: (f) => f.id,
  runtime: (f) => `${f.runtime} ${f.language ?? ''}`,
  calls: (f) => f.calls,
  errors: (f) => f.errors,
  risks: (f) => list(f.risks).length,
  last: (f) => f.last ?? '',
};

/** Functions by what a heading says: "calls" upwards, "-calls" downwards; by name where nothing is said. */
export function ordered(all: readonly Fn[], sort: string): Fn[] {
  const [name, down] = sortOf(sort);
  const value = values[name] ?? values['name']!;
  const sign = down ? -1 : 1;
  return all.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -sign : x > y ? sign : 0) || a.id.localeCompare(b.id);
  });
}

/** Those a person should look at first: risky, failing or never observed ones. */
export function only(all: readonly Fn[], what: string): Fn[] {
  if (what === 'risks') return all.filter((f) => list(f.risks).length > 0);
  if (what === 'errors') return all.filter((f) => f.errors > 0);
  if (what === 'unused') return all.filter((f) => !f.last);
  return [...all];
}
