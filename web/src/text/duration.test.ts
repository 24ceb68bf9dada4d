import { expect, test } from 'vitest';
import { duration, gbSeconds } from './duration';

test.each([
  [undefined, '–'], [0, '0 ms'], [420_000, '0.42 ms'], [1_000_000, '1 ms'], [4_260_000, '4.3 ms'], [12_400_000, '12 ms'],
  [1_500_000_000, '1.5 s'], [45_678_000_000, '45.7 s'], [200_000_000_000, '3 min 20 s'],
])('%s nanoseconds', (ns, says) => expect(duration(ns)).toBe(says));

test.each([[0, '0 GB·s'], [0.1234, '0.123 GB·s'], [12.34, '12.3 GB·s'], [1234.5, '1235 GB·s']])('%s', (n, says) => expect(gbSeconds(n)).toBe(says));
