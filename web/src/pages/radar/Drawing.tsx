import { memo, useMemo } from 'react';
import type { RadarNode } from '../../api/types';
import { escapeText, shorten } from '../../text/escape';
import { count, percent } from '../../text/number';
import type { Layout, Link, Place } from './layout';

interface Props { layout: Layout; links: Link[]; matches: ReadonlySet<string> | undefined; selected: string; focus: string }

/** Id of the element that draws a node. */
export function nodeElement(layout: Layout, id: string): string {
  return `node-${[...layout.places.keys()].indexOf(id)}`;
}

/** Everything on the map. It is drawn anew when the content changes, not when the view does. */
export const Drawing = memo(function Drawing({ layout, links, matches, selected, focus }: Props) {
  const near = useMemo(() => {
    if (!selected) return undefined;
    return new Set([selected, ...links.filter((l) => l.from === selected || l.to === selected).flatMap((l) => [l.from, l.to])]);
  }, [links, selected]);
  const dim = (id: string) => (matches ? !matches.has(id) : near ? !near.has(id) : false);
  return (
    <>
      {layout.boxes.map((b) => (
        <g key={b.label} className="rd-box" aria-hidden="true">
          <rect x={b.x} y={b.y} width={b.width} height={b.height} rx={12} />
          <text x={b.x + 12} y={b.y + 22}>{shorten(escapeText(b.label), Math.max(12, Math.floor(b.width / 9)))}</text>
        </g>
      ))}
      <g aria-hidden="true">
        {links.map((l) => (
          <Line key={l.id} of={l} layout={layout} lit={selected !== '' && (l.from === selected || l.to === selected)} dim={dim(l.from) && dim(l.to)} />
        ))}
      </g>
      {[...layout.places.values()].map((p, i) => (
        <Node key={p.node.id} element={`node-${i}`} of={p} selected={p.node.id === selected} focused={p.node.id === focus} dim={dim(p.node.id)} />
      ))}
    </>
  );
});

const Line = memo(function Line({ of: l, layout, lit, dim }: { of: Link; layout: Layout; lit: boolean; dim: boolean }) {
  const a = layout.places.get(l.from);
  const b = layout.places.get(l.to);
  if (!a || !b) return null;
  const look = [l.denied ? 'rd-denied' : l.novel ? 'rd-novel' : '', lit ? 'rd-lit' : '', dim ? 'rd-dim' : ''].filter(Boolean).join(' ');
  const ports = l.ports.slice(0, 2).join(', ') + (l.ports.length > 2 ? ` +${l.ports.length - 2}` : '');
  const mark = l.denied ? '✕ ' : l.novel ? '! ' : '';
  const at = middle(a, b);
  return (
    <g className={`rd-line ${look}`}>
      <path d={path(a, b)} />
      <path d={arrow(b, a)} className="rd-arrow" />
      <text x={at.x} y={at.y - 4} textAnchor="middle">{mark}{ports}</text>
    </g>
  );
});

const radius = 20;

function ends(a: Place, b: Place) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const d = Math.hypot(dx, dy) || 1;
  return { ux: dx / d, uy: dy / d };
}

function path(a: Place, b: Place): string {
  if (a === b) return `M${a.x + 8} ${a.y - radius + 2} c12 -26 30 -6 10 8`;
  const { ux, uy } = ends(a, b);
  const x1 = a.x + ux * radius;
  const y1 = a.y + uy * radius;
  const x2 = b.x - ux * (radius + 7);
  const y2 = b.y - uy * (radius + 7);
  const bend = (x2 - x1) / 2;
  return Math.abs(bend) < 40 ? `M${x1} ${y1} Q${(x1 + x2) / 2 + 24} ${(y1 + y2) / 2} ${x2} ${y2}` : `M${x1} ${y1} L${x2} ${y2}`;
}

function middle(a: Place, b: Place) {
  return a === b ? { x: a.x + 30, y: a.y - radius - 8 } : { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** A head of the arrow at the node it points to, coming from the other. */
function arrow(to: Place, from: Place): string {
  if (to === from) return '';
  const { ux, uy } = ends(from, to);
  const tip = { x: to.x - ux * (radius + 1), y: to.y - uy * (radius + 1) };
  const back = { x: tip.x - ux * 9, y: tip.y - uy * 9 };
  return `M${tip.x} ${tip.y} L${back.x - uy * 4.5} ${back.y + ux * 4.5} L${back.x + uy * 4.5} ${back.y - ux * 4.5} Z`;
}

const signs: Record<string, string> = { learning: '…', observing: '◉', enforcing: '✓', archived: '–' };

const Node = memo(function Node({ element, of: { node: n, x, y }, selected, focused, dim }: { element: string; of: Place; selected: boolean; focused: boolean; dim: boolean }) {
  const worst = n.alerts > 0 ? (n.worst ?? 'low') : undefined;
  const look = ['rd-node', `rd-kind-${n.kind}`, `rd-state-${n.state || 'none'}`, worst && `rd-worst-${worst}`, n.isolated && 'rd-cut', selected && 'rd-selected', focused && 'rd-focused', dim && 'rd-dim'].filter(Boolean).join(' ');
  return (
    <g data-node={n.id} className={look} transform={`translate(${x} ${y})`}>
      <rect id={element} className="rd-hit" x={-80} y={-38} width={160} height={76} role="option" aria-selected={selected} aria-label={describe(n)} />
      {n.kind === 'container' && <circle className="rd-shape" r={radius} />}
      {n.kind === 'service' && <rect className="rd-shape" x={-18} y={-18} width={36} height={36} rx={5} />}
      {n.kind === 'host' && <path className="rd-shape" d="M-20 12 v-28 h40 v28 z M-26 18 h52" />}
      {n.kind === 'outside' && <path className="rd-shape" d="M0 -20 L20 0 L0 20 L-20 0 Z" />}
      <text aria-hidden="true" className="rd-sign" y={5} textAnchor="middle">{n.isolated ? '✂' : n.kind === 'outside' ? '' : (signs[n.state ?? ''] ?? '')}</text>
      {worst && (
        <g aria-hidden="true" className="rd-badge" transform="translate(17 -17)">
          <circle r={10} />
          <text y={4} textAnchor="middle">{n.alerts > 99 ? '99+' : n.alerts}</text>
        </g>
      )}
      <text aria-hidden="true" className="rd-name" y={36} textAnchor="middle">{shorten(escapeText(n.name), 24)}{n.instances > 1 ? ` ×${n.instances}` : ''}</text>
    </g>
  );
});

/** A node in words. */
export function describe(n: RadarNode): string {
  return [
    `${n.kind} ${escapeText(n.name)}`,
    n.state && `profile ${n.state}, ${percent(n.coverage)} covered`,
    n.isolated && 'isolated',
    n.instances > 1 && `${n.instances} instances`,
    n.alerts > 0 ? `${count(n.alerts)} open alerts, worst ${n.worst ?? 'unknown'}` : 'no open alert',
  ].filter(Boolean).join(', ');
}
