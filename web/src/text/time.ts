// Times as people say them. "0001-…" is Go's zero time and means never.

/** Milliseconds since 1970, or undefined for no time at all. */
export function parseTime(at: string | undefined): number | undefined {
  if (!at || at.startsWith('0001-')) return undefined;
  const ms = Date.parse(at);
  return Number.isNaN(ms) ? undefined : ms;
}

const steps: [limit: number, size: number, unit: string][] = [
  [60, 1, 's'],
  [60 * 60, 60, 'min'],
  [36 * 3600, 3600, 'h'],
  [Infinity, 86400, 'd'],
];

/** A span in its largest fitting unit: "42 s", "3 min", "5 h", "12 d". */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [, size, unit] = steps.find(([limit]) => s < limit) ?? [0, 86400, 'd'];
  return `${Math.floor(s / size)} ${unit}`;
}

/** "2 s ago", "in 3 h". A little skew between two clocks reads as now. */
export function relative(at: number, now: number): string {
  const past = now - at;
  if (past < -5000) return `in ${span(-past)}`;
  return past < 1000 ? 'now' : `${span(past)} ago`;
}

/** Date, time and zone, to the second. */
export function exact(at: number): string {
  const d = new Date(at);
  const pad = (n: number) => String(n).padStart(2, '0');
  const zone = -d.getTimezoneOffset();
  const sign = zone < 0 ? '-' : '+';
  const offset = `${sign}${pad(Math.floor(Math.abs(zone) / 60))}:${pad(Math.abs(zone) % 60)}`;
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())} ${offset}`;
}

/** Time of day with milliseconds, for timelines. */
export function clock(at: number): string {
  const d = new Date(at);
  const pad = (n: number, w = 2) => String(n).padStart(w, '0');
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${pad(d.getMilliseconds(), 3)}`;
}
