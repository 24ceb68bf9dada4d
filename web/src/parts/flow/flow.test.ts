import { expect, test } from 'vitest';
import type { FnMap, FnMapEdge, FnMapNode } from '../../api/functionTypes';
import { around, box, curve, flow, manner } from './flow';

const node = (id: string, calls = 1) => ({ id, kind: id.split('/')[0], name: id.slice(id.indexOf('/') + 1), calls }) as FnMapNode;
const edge = (from: string, to: string, count = 1, more: Partial<FnMapEdge> = {}) => ({ from, to, count, ...more }) as FnMapEdge;

const map: Pick<FnMap, 'nodes' | 'edges'> = {
  nodes: ['caller/user/a', 'caller/user/b', 'route/GET /x', 'route/GET /y', 'function/x', 'function/y', 'egress/api:443', 'secret/s'].map((id) => node(id)),
  edges: [
    edge('caller/user/a', 'route/GET /x'), edge('route/GET /x', 'function/x'), edge('caller/user/b', 'route/GET /y'), edge('route/GET /y', 'function/y'),
    edge('function/x', 'egress/api:443', 0, { granted: true }), edge('function/y', 'secret/s'), edge('function/x', 'function/y'),
  ],
};

test('what leads to a function and what it touches belongs to it', () => {
  const part = around(map as FnMap, 'x');
  expect(part.nodes!.map((n) => n.id)).toEqual(['caller/user/a', 'route/GET /x', 'function/x', 'function/y', 'egress/api:443']);
  expect(around(map as FnMap, 'unknown')).toEqual({ nodes: [], edges: [] });
});

test('columns run from callers to what is touched, and nothing overlaps', () => {
  const f = flow(map);
  expect(f.heads.map((h) => h.title)).toEqual(['Callers', 'Routes', 'Functions', 'What they touch']);
  expect(f.lines).toHaveLength(7);
  for (const a of f.spots) for (const b of f.spots) {
    if (a !== b) expect(a.x === b.x && Math.abs(a.y - b.y) < box.height).toBe(false);
    expect(a.x + box.width).toBeLessThanOrEqual(f.width);
    expect(a.y + box.height).toBeLessThanOrEqual(f.height);
  }
});

test('an empty column takes no room, and of very many some are hidden', () => {
  expect(flow({ nodes: [node('caller/a'), node('function/x')], edges: [] }).heads.map((h) => h.title)).toEqual(['Callers', 'Functions']);
  expect(flow({ nodes: [], edges: null })).toMatchObject({ spots: [], width: 4 });
  expect(flow({ nodes: Array.from({ length: 50 }, (_, i) => node(`caller/${i}`)), edges: [] }).hidden).toBe(10);
});

test('lines between functions go round the outside', () => {
  const lines = flow(map).lines;
  expect(curve(lines.find((l) => l.from.x === l.to.x)!)).toMatch(/^M/);
  expect(lines.map((l) => manner(l.edge))).toContain('idle');
  expect(manner(edge('a', 'b', 3, { refused: 1 }))).toBe('refused');
});
