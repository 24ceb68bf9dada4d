import type { ModelField } from '../../api/functionTypes';
import { count } from '../../text/number';

const forms: Record<string, string> = { empty: 'nothing', integer: 'a whole number', decimal: 'a number', flag: 'true or false', uuid: 'a UUID', hex: 'hexadecimal digits', time: 'a time', address: 'a network address', word: 'a plain word', text: 'text' };
const types: Record<string, string> = { null: 'nothing', bool: 'true or false', number: 'a number', object: 'an object', array: 'a list', string: 'text' };

/** What a field has held: "a UUID", "a number from 1 to 99", "text of at most 40 characters, with ' and ;". */
export function holds(f: ModelField): string {
  const kinds = parts(f.types);
  const words = [...new Set([
    ...(kinds.includes('string') || kinds.length === 0 ? parts(f.class).map((c) => forms[c] ?? c) : []),
    ...kinds.filter((t) => t !== 'string').map((t) => types[t] ?? t),
  ])];
  if (words.length === 0) words.push('text');
  let says = words.join(' or ');
  if (kinds.includes('number') && (f.low !== undefined || f.high !== undefined)) says += ` from ${number(f.low)} to ${number(f.high)}`;
  if (f.length) says += kinds.includes('array') ? `, at most ${count(f.length)} members` : `, at most ${count(f.length)} characters`;
  if (f.prose) says += ', of several words';
  if (f.marks) says += `, with ${f.marks}`;
  return says;
}

const parts = (set: string | undefined) => (set ?? '').split(/[|, ]+/).filter(Boolean);
const number = (n: number | undefined) => String(n ?? 0);
