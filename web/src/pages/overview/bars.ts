import type { Point } from '../../api/types';

export interface Bar { point: Point; x: number; width: number; height: number }

/** Bars of a chart of that size. A minute with one event is still seen. */
export function bars(points: readonly Point[], width: number, height: number): { bars: Bar[]; most: number } {
  const most = Math.max(1, ...points.map((p) => p.events));
  const step = width / Math.max(1, points.length);
  const room = height - 16; // for the mark of an alert
  return {
    most,
    bars: points.map((point, i) => ({
      point,
      x: i * step + 0.5,
      width: Math.max(1, step - 1),
      height: point.events === 0 ? 0 : Math.max(2, (point.events / most) * room),
    })),
  };
}
