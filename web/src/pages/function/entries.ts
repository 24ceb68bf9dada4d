import type { ModelEntry } from '../../api/functionTypes';
import { groupBy } from '../../text/group';
import { deedText, kindTitle, useKinds } from '../../text/use';

/** Entries under their kinds, in the order people read them. */
export function byKind(entries: readonly ModelEntry[]): [kind: string, entries: ModelEntry[]][] {
  const rank = (k: string) => (useKinds.includes(k) ? useKinds.indexOf(k) : useKinds.length);
  return [...groupBy(entries, (e) => e.kind)].toSorted(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

/** Entries in which every word occurs. */
export function sought(entries: readonly ModelEntry[], text: string): ModelEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((e) => {
    const where = [deedText(e), kindTitle(e.kind), e.kind, e.source, e.note].join(' ').toLowerCase();
    return words.every((w) => where.includes(w));
  });
}
