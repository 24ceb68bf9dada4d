// Panning and zooming: where the map lies under the window.

export interface View { x: number; y: number; scale: number }
export interface Size { width: number; height: number }

const smallest = 0.05;
const largest = 2.5;

/** The view that shows all of the map, or none larger than life. */
export function fit(map: Size, window: Size): View {
  const scale = clamp(Math.min(window.width / Math.max(1, map.width), window.height / Math.max(1, map.height), 1));
  return { scale, x: (window.width - map.width * scale) / 2, y: (window.height - map.height * scale) / 2 };
}

/** Zooms by a factor so that the point of the window stays where it is. */
export function zoom(v: View, by: number, at: { x: number; y: number }): View {
  const scale = clamp(v.scale * by);
  const k = scale / v.scale;
  return { scale, x: at.x - (at.x - v.x) * k, y: at.y - (at.y - v.y) * k };
}

/** Brings a point of the map into the window, and close enough to read. */
export function reveal(v: View, point: { x: number; y: number }, window: Size): View {
  const scale = Math.max(v.scale, 0.7);
  const at = { x: point.x * scale + (scale === v.scale ? v.x : 0), y: point.y * scale + (scale === v.scale ? v.y : 0) };
  const edge = 90;
  const seen = at.x > edge && at.y > edge && at.x < window.width - edge && at.y < window.height - edge;
  if (scale === v.scale && seen) return v;
  return { scale, x: window.width / 2 - point.x * scale, y: window.height / 2 - point.y * scale };
}

const clamp = (scale: number) => Math.min(largest, Math.max(smallest, scale));
