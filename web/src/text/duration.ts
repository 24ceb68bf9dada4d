// Durations come in nanoseconds, as Go writes them.

/** "0.42 ms", "12 ms", "1.5 s", "3 min 20 s": three digits at most. */
export function duration(ns: number | undefined): string {
  if (ns === undefined) return '–';
  const ms = ns / 1e6;
  if (ms < 1) return ms === 0 ? '0 ms' : `${trim(ms, 2)} ms`;
  if (ms < 1000) return `${ms < 10 ? trim(ms, 1) : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${trim(s, s < 10 ? 2 : 1)} s`;
  return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
}

const trim = (n: number, digits: number) => String(Number(n.toFixed(digits)));

/** "0.5 GB·s", the measure in which functions are paid for elsewhere. */
export function gbSeconds(n: number): string {
  return `${n >= 100 ? Math.round(n) : trim(n, n < 1 ? 3 : 1)} GB·s`;
}
