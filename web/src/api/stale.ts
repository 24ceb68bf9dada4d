// When to fetch again what a stream message made stale: at once, but each part
// at most once per its gap, however many messages come.

const quick = 1000; // ms
const slow = 4000; // for pages that sum everything up

const own: Record<string, string[]> = {
  event: ['event'],
  alert: ['alert', 'overview', 'why'],
  incident: ['incident', 'overview'],
  workload: ['workload', 'overview'],
  profile: ['profile', 'workload', 'why'],
  node: ['node'],
  policy: ['policy', 'why'],
};

const sums: Record<string, string[]> = {
  event: ['overview', 'radar'],
  alert: ['radar', 'workload'],
  workload: ['radar'],
  profile: ['overview', 'radar'],
  node: ['overview'],
};

export class Stale {
  private due = new Map<string, number>();
  private last = new Map<string, number>();

  /** Notes what a message of this type makes stale; "missed" may have been any. */
  mark(type: string, now: number): void {
    if (type === 'missed') Object.keys(own).forEach((t) => this.mark(t, now));
    for (const part of own[type] ?? []) this.want(part, quick, now);
    for (const part of sums[type] ?? []) this.want(part, slow, now);
  }

  /** Takes the parts that are due: first parts of query keys. */
  take(now: number): string[] {
    const parts = [...this.due].filter(([, at]) => at <= now).map(([part]) => part);
    for (const part of parts) {
      this.due.delete(part);
      this.last.set(part, now);
    }
    return parts;
  }

  /** Milliseconds until the next part is due; undefined when none waits. */
  wait(now: number): number | undefined {
    if (this.due.size === 0) return undefined;
    return Math.max(0, Math.min(...this.due.values()) - now);
  }

  private want(part: string, gap: number, now: number): void {
    const at = Math.max(now, (this.last.get(part) ?? -Infinity) + gap);
    this.due.set(part, Math.min(at, this.due.get(part) ?? Infinity));
  }
}
