import type { Point } from '../../api/types';
import { Panel } from '../../parts/Panel';
import { count } from '../../text/number';
import { parseTime } from '../../text/time';
import { bars } from './bars';

const size = { width: 600, height: 150 };

/** Events and alerts in each minute of the last hour. */
export function Rate({ points }: { points: Point[] }) {
  const chart = bars(points, size.width, size.height);
  const events = points.reduce((sum, p) => sum + p.events, 0);
  const alerts = points.reduce((sum, p) => sum + p.alerts, 0);
  return (
    <Panel title="Last hour">
      {points.length === 0 ? <p>No minute has been counted yet.</p> : (
        <figure className="rd-figure">
          <svg viewBox={`0 0 ${size.width} ${size.height + 18}`} role="img" aria-label={`${count(events)} events and ${count(alerts)} alerts in the last hour, at most ${count(chart.most)} events in a minute`} className="rd-chart">
            <line x1="0" x2={size.width} y1={size.height} y2={size.height} className="rd-axis" />
            <line x1="0" x2={size.width} y1={0.5} y2={0.5} className="rd-axis rd-faint" />
            {chart.bars.map((b, i) => (
              <g key={i}>
                <title>{`${minute(b.point)}: ${count(b.point.events)} events, ${count(b.point.alerts)} alerts`}</title>
                <rect x={b.x} y={0} width={b.width + 1} height={size.height} className="rd-touch" />
                <rect x={b.x} y={size.height - b.height} width={b.width} height={b.height} className="rd-bar" />
                {b.point.alerts > 0 && <path d={`M${b.x + b.width / 2} ${Math.max(1, size.height - b.height - 12)} l5 9 h-10 z`} className="rd-bar-alert" />}
              </g>
            ))}
            <text x="0" y="12" className="rd-tick">{count(chart.most)} per minute</text>
            <text x="0" y={size.height + 15} className="rd-tick">{minute(points[0])}</text>
            <text x={size.width} y={size.height + 15} textAnchor="end" className="rd-tick">{minute(points.at(-1))}</text>
          </svg>
          <figcaption className="rd-legend">
            <span><span className="rd-key rd-key-bar" /> events: {count(events)}</span>
            <span><span className="rd-key-alert">▲</span> minutes with alerts: {count(alerts)} in all</span>
          </figcaption>
        </figure>
      )}
    </Panel>
  );
}

function minute(p: Point | undefined): string {
  const ms = parseTime(p?.time);
  return ms === undefined ? '' : new Date(ms).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
