// Numbers over time, for charts of bars.

export interface Sample { time: number; value: number; bad?: number }
export interface Column { sample: Sample; x: number; width: number; height: number; bad: number }

/** Columns of a chart of that size. What is not zero is seen. */
export function columns(samples: readonly Sample[], width: number, height: number): { columns: Column[]; most: number } {
  const most = Math.max(0, ...samples.map((s) => s.value));
  const step = width / Math.max(1, samples.length);
  const gap = Math.min(2, step / 4);
  const scale = (v: number) => (v <= 0 || most === 0 ? 0 : Math.max(2, (v / most) * height));
  return {
    most,
    columns: samples.map((sample, i) => ({
      sample,
      x: i * step + gap / 2,
      width: step - gap,
      height: scale(sample.value),
      bad: Math.min(scale(sample.bad ?? 0), scale(sample.value)),
    })),
  };
}

const hour = 3_600_000;

interface Hourly { time?: string }

/** One row for each hour up to now, rows of the same hour together; hours without any are empty. */
export function hours<T extends Hourly>(rows: readonly T[], until: number, n: number): { time: number; rows: T[] }[] {
  const last = Math.floor(until / hour);
  const found = Array.from({ length: n }, (_, i) => ({ time: (last - n + 1 + i) * hour, rows: [] as T[] }));
  for (const row of rows) {
    const at = Math.floor(Date.parse(row.time ?? '') / hour);
    found[at - (last - n + 1)]?.rows.push(row);
  }
  return found;
}

export const sum = <T>(rows: readonly T[], of: (row: T) => number) => rows.reduce((n, r) => n + of(r), 0);
