// Where callers, routes, functions and what they touch stand: in four columns,
// each in an order that keeps lines short.

import { list } from '../../api/types';
import type { FnMap, FnMapEdge, FnMapNode } from '../../api/functionTypes';

export interface Spot { node: FnMapNode; x: number; y: number }
export interface Line { edge: FnMapEdge; from: Spot; to: Spot }
export interface Flow { spots: Spot[]; lines: Line[]; heads: { title: string; x: number }[]; width: number; height: number; hidden: number }

export const box = { width: 196, height: 44 };
const gap = { across: 84, down: 14 };
const head = 28;
const most = 40; // in one column

const titles = ['Callers', 'Routes', 'Functions', 'What they touch'];
const column = (n: FnMapNode) => ({ caller: 0, route: 1, function: 2 })[n.kind] ?? 3;

/** Those parts of a map that have to do with one function. */
export function around(m: FnMap, name: string): Pick<FnMap, 'nodes' | 'edges'> {
  const id = `function/${name}`;
  const edges = list(m.edges);
  const ways = new Set(edges.filter((e) => e.to === id && e.from.startsWith('route/')).map((e) => e.from));
  const kept = edges.filter((e) => e.from === id || e.to === id || ways.has(e.to));
  const ends = new Set([id, ...kept.flatMap((e) => [e.from, e.to])]);
  return { nodes: list(m.nodes).filter((n) => ends.has(n.id)), edges: kept };
}

/** Places a map; columns without a node take no room. */
export function flow(m: Pick<FnMap, 'nodes' | 'edges'>): Flow {
  const all: FnMapNode[][] = [[], [], [], []];
  for (const n of list(m.nodes)) all[column(n)]!.push(n);
  const shown = all.map((c) => c.toSorted((a, b) => b.calls - a.calls || a.id.localeCompare(b.id)).slice(0, most));
  const hidden = all.reduce((n, c, i) => n + c.length - shown[i]!.length, 0);
  const used = shown.map((c, i) => ({ title: titles[i]!, nodes: c })).filter((c) => c.nodes.length > 0);
  const tallest = Math.max(0, ...used.map((c) => c.nodes.length));
  const step = box.height + gap.down;
  const spots = new Map<string, Spot>();
  used.forEach((c, i) => {
    const top = head + ((tallest - c.nodes.length) * step) / 2;
    order(c.nodes, list(m.edges), spots).forEach((node, k) => spots.set(node.id, { node, x: i * (box.width + gap.across), y: top + k * step }));
  });
  const lines = list(m.edges).flatMap((edge) => {
    const [from, to] = [spots.get(edge.from), spots.get(edge.to)];
    return from && to ? [{ edge, from, to }] : [];
  });
  return {
    spots: [...spots.values()],
    lines,
    heads: used.map((c, i) => ({ title: c.title, x: i * (box.width + gap.across) })),
    width: Math.max(0, used.length * (box.width + gap.across) - gap.across) + 4,
    height: head + tallest * step,
    hidden,
  };
}

/** A column by the middle of those in earlier columns that lead to its nodes. */
function order(nodes: FnMapNode[], edges: readonly FnMapEdge[], placed: ReadonlyMap<string, Spot>): FnMapNode[] {
  const pull = new Map(nodes.map((n) => {
    const ys = edges.flatMap((e) => (e.to === n.id ? [placed.get(e.from)?.y] : e.from === n.id ? [placed.get(e.to)?.y] : [])).filter((y) => y !== undefined);
    return [n.id, ys.length > 0 ? ys.reduce((a, b) => a + b, 0) / ys.length : Infinity];
  }));
  return nodes.toSorted((a, b) => {
    const [x, y] = [pull.get(a.id)!, pull.get(b.id)!];
    return (x < y ? -1 : x > y ? 1 : 0) || b.calls - a.calls || a.id.localeCompare(b.id);
  });
}

/** How a line is to be read: used, refused, or granted and never used. */
export function manner(e: FnMapEdge): 'refused' | 'idle' | 'used' {
  if ((e.refused ?? 0) > 0) return 'refused';
  return e.count === 0 ? 'idle' : 'used';
}

/** The path of a line, from the right of one box to the left of the next; round the outside where both stand in one column. */
export function curve({ from, to }: Line): string {
  const y1 = from.y + box.height / 2;
  const y2 = to.y + box.height / 2;
  if (from.x === to.x) {
    const x = from.x + box.width;
    return `M${x} ${y1} C${x + 40} ${y1} ${x + 40} ${y2} ${x + 2} ${y2}`;
  }
  const [x1, x2] = [from.x + box.width, to.x - 2];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
