import type { FnRole, Grant } from '../../api/functionTypes';
import { parseTime } from '../../text/time';
import { yaml } from '../../text/yaml';

const order = ['egress', 'aws', 'exec', 'write', 'functions', 'buckets', 'queues', 'secrets'] as const;

/** A role as it stands in a document, its fields always in the same order. */
export function roleText(role: FnRole): string {
  const filled = order.filter((f) => (role[f]?.length ?? 0) > 0);
  if (filled.length === 0) return 'role: {}\n';
  return yaml({ role: Object.fromEntries(filled.map((f) => [f, role[f]!.toSorted()])) });
}

/** One grant a line, each with what it is for, so that a comparison reads well. */
export const grantLines = (role: FnRole): string => order.flatMap((f) => (role[f] ?? []).toSorted().map((g) => `${f}: ${g}`)).join('\n') || 'nothing';

/** Whether nobody has ever used a grant. */
export const unused = (g: Grant) => parseTime(g.last) === undefined;
