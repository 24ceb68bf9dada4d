import { list } from '../../api/types';
import type { PolicyDocument } from '../../api/types';
import { escapeText } from '../../text/escape';

/** To which workloads a policy applies, in words. */
export function scopeText(s: PolicyDocument['policy']['scope']): string {
  const parts = [
    part('', s.workloads),
    part('kind ', s.kinds),
    part('image ', s.images),
    part('label ', Object.entries(s.labels ?? {}).map(([k, v]) => `${k}=${v}`)),
    part('node ', s.nodes),
  ].filter(Boolean);
  return parts.length === 0 ? 'every workload' : escapeText(parts.join(' and '));
}

const part = (name: string, values: string[] | null | undefined) => (list(values).length > 0 ? name + list(values).join(' or ') : '');
