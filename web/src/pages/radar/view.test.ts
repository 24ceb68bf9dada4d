import { describe, expect, test } from 'vitest';
import { fit, reveal, zoom } from './view';

describe('D1 view', () => {
  const window = { width: 1000, height: 500 };
  test('fit shows all of a large map and does not blow up a small one', () => {
    expect(fit({ width: 4000, height: 1000 }, window)).toEqual({ scale: 0.25, x: 0, y: 125 });
    expect(fit({ width: 200, height: 100 }, window)).toEqual({ scale: 1, x: 400, y: 200 });
    expect(fit({ width: 0, height: 0 }, window).scale).toBe(1);
  });
  test('zoom keeps the point under the pointer', () => {
    const before = { scale: 0.5, x: 10, y: 20 };
    const after = zoom(before, 1.3, { x: 300, y: 200 });
    expect((300 - after.x) / after.scale).toBeCloseTo((300 - before.x) / before.scale);
    expect(zoom(before, 1e9, { x: 0, y: 0 }).scale).toBe(2.5);
  });
  test('reveal moves only for what is out of sight or too small to read', () => {
    const v = { scale: 1, x: 0, y: 0 };
    expect(reveal(v, { x: 500, y: 250 }, window)).toBe(v);
    expect(reveal(v, { x: 5000, y: 250 }, window)).toEqual({ scale: 1, x: -4500, y: 0 });
    expect(reveal({ scale: 0.1, x: 0, y: 0 }, { x: 5000, y: 2500 }, window).scale).toBe(0.7);
  });
});
