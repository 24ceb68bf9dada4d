import { expect, test } from 'vitest';
import type { ModelField } from '../../api/functionTypes';
import { holds } from './fields';

const field = (f: Partial<ModelField>) => holds({ name: 'x', types: '', count: 1, units: 1, ...f } as ModelField);

test.each<[Partial<ModelField>, string]>([
  [{ types: 'string', class: 'uuid', length: 36 }, 'a UUID, at most 36 characters'],
  [{ types: 'string', class: 'integer|word', length: 8 }, 'a whole number or a plain word, at most 8 characters'],
  [{ types: 'number', class: 'integer', low: 1, high: 99 }, 'a number from 1 to 99'],
  [{ types: 'null|array', length: 3 }, 'nothing or a list, at most 3 members'],
  [{ types: 'string', class: 'text', prose: true, marks: "'" }, "text, of several words, with '"],
  [{}, 'text'],
])('%o', (f, says) => expect(field(f)).toBe(says));
