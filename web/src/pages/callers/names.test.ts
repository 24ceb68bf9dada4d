import { expect, test } from 'vitest';
import { principalProblem, words } from './names';

test.each(['user/alice', 'role/web', 'function/orders', 'service/bucket/photos', 'user/a@b.example'])('%s is a principal', (id) => expect(principalProblem(id)).toBe(false));
test.each(['', 'alice', 'user/', 'user/a b', 'person/a', 'service/Bucket', 'user/-a'])('“%s” is none', (id) => expect(principalProblem(id)).toMatch(/user\/NAME/));

test('words', () => expect(words(' a, b  c,a,')).toEqual(['a', 'b', 'c']));
