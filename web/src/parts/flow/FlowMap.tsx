import { useMemo } from 'react';
import { Link } from 'react-router';
import type { FnMapEdge, FnMapNode } from '../../api/functionTypes';
import { escapeText, shorten } from '../../text/escape';
import { count, plural } from '../../text/number';
import { functionPath } from '../links';
import { box, curve, flow, manner } from './flow';
import './flow.css';

interface Props { of: Parameters<typeof flow>[0]; label: string; own?: string | undefined }

/** Caller → route → function → what it touched, as a picture. */
export function FlowMap({ of, label, own }: Props) {
  const f = useMemo(() => flow(of), [of]);
  return (
    <div className="rd-stack">
      <div className="rd-flow" tabIndex={0} role="group" aria-label={label}>
        <svg viewBox={`-2 0 ${f.width + 42} ${f.height}`} style={{ minWidth: f.width * 0.75, maxWidth: f.width + 42 }}>
          <defs>
            <marker id="rd-flow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" orient="auto"><path d="M0 0 L8 4 L0 8 Z" className="rd-flow-arrow" /></marker>
          </defs>
          {f.heads.map((h) => <text key={h.title} x={h.x} y={15} className="rd-flow-head">{h.title}</text>)}
          {f.lines.map((l) => (
            <g key={`${l.edge.from} ${l.edge.to}`} className={`rd-flow-line rd-flow-${manner(l.edge)}`}>
              <title>{saysEdge(l.edge, l.from.node, l.to.node)}</title>
              <path d={curve(l)} markerEnd="url(#rd-flow-arrow)" style={{ strokeWidth: width(l.edge) }} />
              {manner(l.edge) === 'refused' && <text x={(l.from.x + box.width + l.to.x) / 2} y={(l.from.y + l.to.y + box.height) / 2 + 4} textAnchor="middle" className="rd-flow-mark">✕</text>}
            </g>
          ))}
          {f.spots.map((s) => (
            <g key={s.node.id} transform={`translate(${s.x} ${s.y})`}>
              <Node of={s.node} own={own} />
            </g>
          ))}
        </svg>
      </div>
      <div className="rd-legend">
        <span><b aria-hidden="true">──</b> used</span>
        <span><b aria-hidden="true">╌╌</b> granted by the role, not used</span>
        <span><b aria-hidden="true">··✕··</b> refused</span>
        {f.hidden > 0 && <span>{plural(f.hidden, 'node')} with fewest calls not drawn</span>}
      </div>
    </div>
  );
}

const width = (e: FnMapEdge) => (e.count === 0 ? 1.3 : Math.min(5, 1.3 + Math.log10(e.count)));

function Node({ of: n, own }: { of: FnMapNode; own: string | undefined }) {
  const name = escapeText(n.name);
  const body = (
    <>
      <title>{saysNode(n)}</title>
      <rect width={box.width} height={box.height} rx={8} className={`rd-flow-box rd-flow-is-${n.kind}${n.name === own && n.kind === 'function' ? ' rd-flow-own' : ''}`} />
      <text x={10} y={18} className="rd-flow-name">{shorten(name, 25)}</text>
      <text x={10} y={35} className="rd-flow-note">{note(n)}</text>
    </>
  );
  if (n.kind === 'function' && n.name !== own) return <Link to={functionPath(n.name)}>{body}</Link>;
  return body;
}

const kinds: Record<string, string> = { egress: 'address', aws: 'AWS', exec: 'program', bucket: 'bucket', queue: 'queue', secret: 'secret' };

function note(n: FnMapNode): string {
  const calls = n.calls > 0 ? plural(n.calls, n.kind in kinds ? 'use' : 'call') : n.kind in kinds ? 'not used' : 'no call';
  const parts = [kinds[n.kind] ?? '', calls, n.errors ? plural(n.errors, 'error') : '', n.state === 'disabled' ? 'disabled' : '', n.verdicts ? `! ${count(n.verdicts)}` : ''];
  return shorten(parts.filter(Boolean).join(' · '), 30);
}

function saysNode(n: FnMapNode): string {
  return [
    `${kinds[n.kind] ?? n.kind} ${escapeText(n.name)}`, plural(n.calls, n.kind in kinds ? 'use' : 'call'), n.errors && plural(n.errors, 'error'),
    n.verdicts && `${plural(n.verdicts, 'call')} worth a look`, n.model && `model ${n.model}`, n.state === 'disabled' && 'disabled',
  ].filter(Boolean).join(', ');
}

function saysEdge(e: FnMapEdge, from: FnMapNode, to: FnMapNode): string {
  const how = e.count === 0 ? 'granted, not used' : `${count(e.count)} ×${e.refused ? `, ${count(e.refused)} refused` : ''}`;
  return `${escapeText(from.name)} → ${escapeText(to.name)}: ${how}`;
}
