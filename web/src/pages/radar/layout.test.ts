import { describe, expect, test } from 'vitest';
import type { RadarEdge, RadarNode } from '../../api/types';
import { cell, found, groupOf, layout, links, neighbour } from './layout';
import type { Grouping, Layout, Link } from './layout';

const node = (id: string, more: Partial<RadarNode> = {}): RadarNode =>
  ({ id, kind: 'container', name: id, coverage: 1, instances: 1, alerts: 0, ...more });
const edge = (from: string, to: string, more: Partial<RadarEdge> = {}): RadarEdge =>
  ({ from, to, proto: 'tcp', port: 80, count: 1, last: '', ...more });

function graph(n: number, m: number): [RadarNode[], Link[]] {
  const [nodes, edges] = many(n, m);
  return [nodes, links(nodes, edges)];
}

function many(n: number, m: number): [RadarNode[], RadarEdge[]] {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const nodes = Array.from({ length: n }, (_, i) => node(`w${i}`, { image: `img${i % 23}:1`, kind: i % 9 ? 'container' : 'service' }));
  return [nodes, Array.from({ length: m }, () => edge(`w${random(n)}`, `w${random(n)}`, { port: random(65536) }))];
}

function overlaps(l: Layout): string[] {
  const all = [...l.places.values()];
  return all.flatMap((a, i) =>
    all.slice(i + 1)
      .filter((b) => Math.abs(a.x - b.x) < cell.width - 1 && Math.abs(a.y - b.y) < cell.height - 1)
      .map((b) => `${a.node.id}/${b.node.id}`));
}

describe('D1 layout', () => {
  test('clients stand left of servers', () => {
    const nodes = [node('db'), node('web'), node('internet', { kind: 'outside' })];
    const l = layout(nodes, links(nodes, [edge('internet', 'web'), edge('web', 'db')]), 'flow');
    const x = (id: string) => l.places.get(id)!.x;
    expect(x('internet')).toBeLessThan(x('web'));
    expect(x('web')).toBeLessThan(x('db'));
  });

  test('in a narrow window clients stand above servers', () => {
    const nodes = [node('db'), node('web'), node('lone')];
    const l = layout(nodes, links(nodes, [edge('web', 'db')]), 'flow', true);
    expect(l.places.get('web')!.y).toBeLessThan(l.places.get('db')!.y);
    expect(l.width).toBeLessThan(l.height);
    expect(overlaps(layout(...graph(60, 90), 'flow', true))).toEqual([]);
  });

  test.each<Grouping>(['flow', 'image', 'kind', 'state'])('%s: 500 nodes and 1,500 edges, none on another, all inside, without delay', (by) => {
    const [nodes, edges] = many(500, 1500);
    const start = performance.now();
    const l = layout(nodes, links(nodes, edges), by);
    expect(performance.now() - start).toBeLessThan(1500); // some 20 ms on an idle core
    expect(l.places.size).toBe(500);
    expect(overlaps(l)).toEqual([]);
    for (const p of l.places.values()) {
      expect(p.x).toBeGreaterThan(0);
      expect(p.x).toBeLessThan(l.width);
      expect(p.y).toBeGreaterThan(0);
      expect(p.y).toBeLessThan(l.height);
    }
    expect(l.width / l.height).toBeLessThan(5);
  });

  test('nothing moves when only numbers change', () => {
    const [nodes, edges] = many(40, 60);
    const before = layout(nodes, links(nodes, edges), 'flow');
    const after = layout(nodes.toReversed().map((n) => ({ ...n, alerts: 3 })), links(nodes, edges), 'flow');
    for (const [id, p] of before.places) expect(after.places.get(id)).toMatchObject({ x: p.x, y: p.y });
  });

  test('nothing, a lone node and a ring are drawn too', () => {
    expect(layout([], [], 'flow').places.size).toBe(0);
    expect(layout([node('a')], [], 'flow').boxes[0]?.label).toBe('no connection seen');
    const ring = [node('a'), node('b')];
    expect(overlaps(layout(ring, links(ring, [edge('a', 'b'), edge('b', 'a')]), 'flow'))).toEqual([]);
  });
});

test('D1 links join ports and keep what stands out', () => {
  const nodes = [node('a'), node('b')];
  const got = links(nodes, [edge('a', 'b', { count: 2 }), edge('a', 'b', { port: 443, count: 5, novel: true }), edge('a', 'gone'), edge('b', 'a', { denied: true })]);
  expect(got).toHaveLength(2);
  expect(got[0]).toMatchObject({ ports: ['443/tcp', '80/tcp'], count: 7, novel: true, denied: false });
  expect(got[1]).toMatchObject({ from: 'b', denied: true });
});

test('images of one repository share a group', () => {
  const of = (image: string) => groupOf(node('a', { image }), 'image');
  expect(of('nginx:1.27')).toBe('nginx');
  expect(of('registry.local:5000/shop/web:v2')).toBe('registry.local:5000/shop/web');
  expect(of('registry.local:5000/shop/web')).toBe('registry.local:5000/shop/web');
  expect(of('nginx@sha256:abcd')).toBe('nginx');
});

test('D21 arrow keys walk to what lies in that direction', () => {
  const nodes = [node('a'), node('b'), node('c')];
  const l = layout(nodes, links(nodes, [edge('a', 'b'), edge('b', 'c')]), 'flow');
  expect(neighbour(l, 'a', 'ArrowRight')).toBe('b');
  expect(neighbour(l, 'b', 'ArrowRight')).toBe('c');
  expect(neighbour(l, 'c', 'ArrowLeft')).toBe('b');
  expect(neighbour(l, 'a', 'ArrowLeft')).toBeUndefined();
  expect(neighbour(l, 'none', 'ArrowLeft')).toBeDefined();
});

test('search takes every word anywhere', () => {
  const n = node('docker/nginx', { image: 'nginx:1', ports: [{ proto: 'tcp', port: 8080 }] });
  expect(found(n, 'NGINX 8080/tcp')).toBe(true);
  expect(found(n, 'nginx 9090')).toBe(false);
  expect(found(n, '')).toBe(true);
});
