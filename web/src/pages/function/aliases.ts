import { list } from '../../api/types';
import type { FnRecord, Weight } from '../../api/functionTypes';

export interface Alias { name: string; weights: Weight[]; previous: Weight[] }

/** The aliases of a function, live first. */
export function aliasesOf(f: Pick<FnRecord, 'aliases'>): Alias[] {
  return Object.entries(f.aliases)
    .map(([name, a]) => ({ name, weights: list(a.weights), previous: list(a.previous) }))
    .toSorted((a, b) => Number(b.name === 'live') - Number(a.name === 'live') || a.name.localeCompare(b.name));
}

/** "version 3", "version 3 (90 %) and version 4 (10 %)". */
export function sharesText(weights: readonly Weight[]): string {
  if (weights.length === 0) return 'no version';
  if (weights.length === 1) return `version ${weights[0]!.version}`;
  return weights.map((w) => `version ${w.version} (${w.percent} %)`).join(' and ');
}

/** What is wrong with shares that a person wrote; undefined where nothing is. */
export function wrongShares(weights: readonly Weight[]): string | undefined {
  if (weights.length === 0) return 'Give at least one version a share.';
  if (weights.some((w) => !Number.isInteger(w.percent) || w.percent < 1 || w.percent > 100)) return 'A share is a whole number from 1 to 100.';
  const all = weights.reduce((n, w) => n + w.percent, 0);
  return all === 100 ? undefined : `The shares add up to ${all} %, not to 100 %.`;
}

/** A first share for a version that gets none yet: a tenth, taken from the largest. */
export function withCanary(weights: readonly Weight[], version: number, percent = 10): Weight[] {
  const others = weights.filter((w) => w.version !== version).toSorted((a, b) => b.percent - a.percent);
  const [largest, ...rest] = others;
  if (!largest || largest.percent <= percent) return [{ version, percent: 100 }];
  const own = weights.find((w) => w.version === version)?.percent ?? 0;
  return [{ version: largest.version, percent: largest.percent - percent + own }, ...rest, { version, percent }];
}
