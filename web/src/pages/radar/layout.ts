// Where things stand on the map. The layout depends on nothing but what is
// drawn, so a node stays where it is when only numbers change. The usual view
// runs from left to right, clients before servers; the grouped views put boxes
// on shelves. Both are linear in nodes and edges, give or take a sort.

import { list } from '../../api/types';
import type { RadarEdge, RadarNode } from '../../api/types';

export type Grouping = 'flow' | 'image' | 'kind' | 'state';

export interface Box { x: number; y: number; width: number; height: number; label: string }
export interface Place { node: RadarNode; x: number; y: number }

/** All edges between one pair, in one direction. */
export interface Link {
  id: string;
  from: string;
  to: string;
  ports: string[];
  count: number;
  novel: boolean;
  denied: boolean;
}

export interface Layout { places: Map<string, Place>; boxes: Box[]; width: number; height: number }

export const cell = { width: 168, height: 84 };
const margin = 40;
const title = 34; // above the nodes of a box

/** One link per pair and direction; ports in order of use. Ends that are not drawn leave none. */
export function links(nodes: readonly RadarNode[], edges: readonly RadarEdge[]): Link[] {
  const known = new Set(nodes.map((n) => n.id));
  const byPair = new Map<string, RadarEdge[]>();
  for (const e of edges) {
    if (!known.has(e.from) || !known.has(e.to)) continue;
    const id = JSON.stringify([e.from, e.to]);
    byPair.set(id, [...(byPair.get(id) ?? []), e]);
  }
  return [...byPair].map(([id, all]) => ({
    id,
    from: all[0]!.from,
    to: all[0]!.to,
    ports: [...new Set(all.toSorted((a, b) => b.count - a.count).map((e) => `${e.port}/${e.proto}`))],
    count: all.reduce((sum, e) => sum + e.count, 0),
    novel: all.some((e) => e.novel),
    denied: all.some((e) => e.denied),
  }));
}

/** Places everything; upright, for a narrow window, the flow runs from top to bottom. */
export function layout(nodes: readonly RadarNode[], edges: readonly Link[], by: Grouping, upright = false): Layout {
  return by === 'flow' ? flow(nodes, edges, upright) : shelves(groups(nodes, by));
}

// From left to right, or from top to bottom.

function flow(nodes: readonly RadarNode[], edges: readonly Link[], upright: boolean): Layout {
  const linked = new Set(edges.filter((e) => e.from !== e.to).flatMap((e) => [e.from, e.to]));
  const columns = ranks(nodes.filter((n) => linked.has(n.id)), edges);
  const rows = Math.max(4, Math.ceil(Math.sqrt(nodes.length * (upright ? 0.25 : 0.8))));
  const [step, row] = upright ? [cell.height * 1.25, cell.width] : [cell.width, cell.height];
  const places = new Map<string, Place>();
  const tallest = Math.min(rows, Math.max(0, ...columns.map((c) => c.length)));
  let along = margin;
  for (const column of columns) {
    const wide = Math.ceil(column.length / rows);
    const tall = Math.ceil(column.length / wide);
    const top = margin + ((tallest - tall) * row) / 2;
    column.forEach((node, i) => {
      const [far, aside] = [along + (Math.floor(i / tall) + 0.5) * step, top + ((i % tall) + 0.5) * row];
      places.set(node.id, upright ? { node, x: aside, y: far } : { node, x: far, y: aside });
    });
    along += (wide + 0.5) * step;
  }
  const length = Math.max(along - step / 2, margin) + margin;
  const breadth = tallest * row + 2 * margin;
  const above: Layout = { places, boxes: [], width: upright ? breadth : length, height: upright ? length : breadth };
  const alone = nodes.filter((n) => !linked.has(n.id)).toSorted(byName);
  if (alone.length === 0) return above;
  return below(above, shelves([['no connection seen', alone]], above.width));
}

/** Columns by distance from the nodes nobody connects to, each in an order that keeps lines short. */
function ranks(nodes: readonly RadarNode[], edges: readonly Link[]): RadarNode[][] {
  const sources = new Map<string, string[]>(nodes.map((n) => [n.id, []]));
  const targets = new Map<string, string[]>(nodes.map((n) => [n.id, []]));
  for (const e of edges) {
    if (e.from === e.to) continue;
    targets.get(e.from)?.push(e.to);
    sources.get(e.to)?.push(e.from);
  }
  const rank = new Map<string, number>();
  const visit = (start: RadarNode[]) => {
    let queue = start.map((n) => n.id);
    for (const id of queue) rank.set(id, 0);
    while (queue.length > 0) {
      const next: string[] = [];
      for (const id of queue) {
        for (const to of targets.get(id) ?? []) {
          if (rank.has(to)) continue;
          rank.set(to, (rank.get(id) ?? 0) + 1);
          next.push(to);
        }
      }
      queue = next;
    }
  };
  const sorted = nodes.toSorted(byName);
  visit(sorted.filter((n) => sources.get(n.id)?.length === 0));
  for (const n of sorted) if (!rank.has(n.id)) visit([n]); // rings have no beginning
  const columns: RadarNode[][] = [];
  for (const n of sorted) (columns[rank.get(n.id) ?? 0] ??= []).push(n);
  return columns.map((column, i) => (i === 0 ? column : untangle(column, columns[i - 1] ?? [], sources)));
}

function untangle(column: RadarNode[], before: RadarNode[], sources: Map<string, string[]>): RadarNode[] {
  const at = new Map(before.map((n, i) => [n.id, i / Math.max(1, before.length)]));
  const pull = (n: RadarNode) => {
    const ys = (sources.get(n.id) ?? []).map((s) => at.get(s)).filter((y) => y !== undefined);
    return ys.length === 0 ? 0.5 : ys.reduce((a, b) => a + b, 0) / ys.length;
  };
  const weight = new Map(column.map((n) => [n.id, pull(n)]));
  const sorted = column.toSorted((a, b) => (weight.get(a.id) ?? 0) - (weight.get(b.id) ?? 0) || byName(a, b));
  column.splice(0, column.length, ...sorted);
  return column;
}

// In boxes.

function groups(nodes: readonly RadarNode[], by: Exclude<Grouping, 'flow'>): [string, RadarNode[]][] {
  const found = new Map<string, RadarNode[]>();
  for (const n of nodes.toSorted(byName)) {
    const label = groupOf(n, by);
    found.set(label, [...(found.get(label) ?? []), n]);
  }
  return [...found].toSorted((a, b) => b[1].length - a[1].length || a[0].localeCompare(b[0]));
}

export function groupOf(n: RadarNode, by: Exclude<Grouping, 'flow'>): string {
  if (n.kind === 'outside') return 'outside';
  if (by === 'image') return n.image ? n.image.replace(/(:[^:/]*)?(@.*)?$/, '') : `${n.kind}s`;
  if (by === 'kind') return `${n.kind}s`;
  return n.state ?? 'no profile';
}

function shelves(groups: [string, RadarNode[]][], room = 0): Layout {
  const sizes = groups.map(([, nodes]) => boxSize(nodes.length, groups.length === 1 ? room : 0));
  const area = sizes.reduce((sum, s) => sum + (s.width + margin) * (s.height + margin), 0);
  const limit = Math.max(room, Math.sqrt(area * 1.8), ...sizes.map((s) => s.width));
  const places = new Map<string, Place>();
  const boxes: Box[] = [];
  let [x, y, shelf, width] = [margin, margin, 0, 0];
  groups.forEach(([label, nodes], i) => {
    const size = sizes[i]!;
    if (x > margin && x + size.width > limit + margin) [x, y, shelf] = [margin, y + shelf + margin, 0];
    boxes.push({ x, y, width: size.width, height: size.height, label });
    nodes.forEach((node, k) => {
      places.set(node.id, {
        node,
        x: x + ((k % size.columns) + 0.5) * cell.width,
        y: y + title + (Math.floor(k / size.columns) + 0.5) * cell.height,
      });
    });
    shelf = Math.max(shelf, size.height);
    x += size.width + margin;
    width = Math.max(width, x);
  });
  return { places, boxes, width, height: y + shelf + margin };
}

function boxSize(n: number, room: number) {
  const fits = Math.max(1, Math.floor((room - 2 * margin) / cell.width));
  const columns = Math.min(n, room > 0 ? fits : Math.max(1, Math.ceil(Math.sqrt(n * 0.9))));
  return { columns, width: columns * cell.width, height: title + Math.ceil(n / columns) * cell.height };
}

function below(above: Layout, under: Layout): Layout {
  const shift = above.places.size > 0 ? above.height - margin : 0;
  const places = new Map(above.places);
  for (const [id, p] of under.places) places.set(id, { ...p, y: p.y + shift });
  return {
    places,
    boxes: [...above.boxes, ...under.boxes.map((b) => ({ ...b, y: b.y + shift }))],
    width: Math.max(above.width, under.width),
    height: shift + under.height,
  };
}

const byName = (a: RadarNode, b: RadarNode) =>
  Number(b.kind === 'outside') - Number(a.kind === 'outside') || a.name.localeCompare(b.name) || a.id.localeCompare(b.id);

// For hands on the keyboard.

export type Direction = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown';

const heading: Record<Direction, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

/** The nearest node in that direction; straight ahead counts as nearer. */
export function neighbour(all: Layout, from: string, to: Direction): string | undefined {
  const here = all.places.get(from);
  if (!here) return all.places.keys().next().value;
  const [dx, dy] = heading[to];
  let best: string | undefined;
  let least = Infinity;
  for (const [id, p] of all.places) {
    const ahead = (p.x - here.x) * dx + (p.y - here.y) * dy;
    const aside = Math.abs((p.x - here.x) * dy) + Math.abs((p.y - here.y) * dx);
    if (ahead < 1) continue;
    const distance = ahead + 2.5 * aside;
    if (distance < least) [best, least] = [id, distance];
  }
  return best;
}

/** What a node is found by. */
export function found(n: RadarNode, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const where = [n.id, n.name, n.image, n.kind, n.state, ...list(n.ports).map((p) => `${p.port}/${p.proto}`)].join(' ').toLowerCase();
  return words.every((w) => where.includes(w));
}
