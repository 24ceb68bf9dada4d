import { list } from '../../api/types';
import type { Entry } from '../../api/types';
import { allows } from '../../text/entry';

export interface Twig { path: string; depth: number; entries: Entry[] }

/**
 * The programs of a profile, each below the program that starts it. A program
 * with several parents stands below each of them; a ring is cut where it
 * closes.
 */
export function processTree(entries: readonly Entry[]): Twig[] {
  const children = new Map<string, Map<string, Entry[]>>();
  const paths = new Set(entries.map((e) => e.exec?.path ?? ''));
  for (const e of entries) {
    if (!e.exec) continue;
    const parent = e.exec.parent ?? '';
    const below = children.get(parent) ?? new Map<string, Entry[]>();
    below.set(e.exec.path, [...(below.get(e.exec.path) ?? []), e]);
    children.set(parent, below);
  }
  const tree: Twig[] = [];
  const shown = new Set<string>();
  const grow = (parent: string, depth: number, above: readonly string[]) => {
    for (const [path, own] of [...(children.get(parent) ?? [])].toSorted(([a], [b]) => a.localeCompare(b))) {
      tree.push({ path, depth, entries: own });
      if (shown.has(path) || above.includes(path)) continue;
      shown.add(path);
      grow(path, depth + 1, [...above, path]);
    }
  };
  const tops = [...children.keys()].filter((p) => p === '' || !paths.has(p)).toSorted();
  for (const top of tops) {
    if (top) tree.push({ path: top, depth: 0, entries: [] });
    grow(top, top ? 1 : 0, [top]);
  }
  for (const parent of [...children.keys()].toSorted()) {
    // Programs that only start each other have no beginning.
    if (!tree.some((t) => t.path === parent) && parent) grow(parent, 0, [parent]);
  }
  return tree;
}

/** Entries in which every word occurs. */
export function search(entries: readonly Entry[], text: string): Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((e) => {
    const where = [allows(e), e.source, e.note, ...list(e.exec?.digests)].join(' ').toLowerCase();
    return words.every((w) => where.includes(w));
  });
}

/** What importing a profile would do to the one that is there. */
export function compare(now: readonly Entry[], then: readonly Entry[]) {
  const [before, after] = [new Set(now.map((e) => e.id)), new Set(then.map((e) => e.id))];
  return {
    added: then.filter((e) => !before.has(e.id)),
    removed: now.filter((e) => !after.has(e.id)),
    kept: then.filter((e) => before.has(e.id)).length,
  };
}
