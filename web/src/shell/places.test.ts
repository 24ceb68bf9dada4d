import { expect, test } from 'vitest';
import { grouped, places } from './places';

test('every place has its own letter, and groups stay together', () => {
  expect(new Set(places.map((p) => p.key)).size).toBe(places.length);
  const groups = grouped(places);
  expect(groups.flatMap((g) => g.places)).toEqual(places);
  expect(groups.map((g) => g.group)).toEqual(['', 'Serverless', '']);
});
