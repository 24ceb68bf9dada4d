import { useId } from 'react';
import { columns } from './series';
import type { Sample } from './series';

interface Props {
  samples: Sample[];
  /** What the chart shows, with its sums, for those who do not see it. */
  label: string;
  /** A value in words. */
  says: (n: number) => string;
  height?: number;
  bad?: string;
}

const width = 320;

/** Columns over time with what was bad of each in another colour and, so that colour is not all, hatched. */
export function BarChart({ samples, label, says, height = 90, bad }: Props) {
  const hatch = useId();
  const chart = columns(samples, width, height);
  return (
    <svg viewBox={`0 0 ${width} ${height + 32}`} role="img" aria-label={label} className="rd-chart">
      <Hatch id={hatch} />
      <text x="0" y="11" className="rd-tick">{chart.most > 0 ? `at most ${says(chart.most)}` : 'none'}</text>
      <g transform="translate(0 16)">
        <line x1="0" x2={width} y1={height} y2={height} className="rd-axis" />
        {chart.columns.map((c) => (
          <g key={c.sample.time}>
            <title>{`${hourOf(c.sample.time)}: ${says(c.sample.value)}${bad && c.sample.bad ? `, ${c.sample.bad} ${bad}` : ''}`}</title>
            <rect x={c.x} y={0} width={c.width} height={height} className="rd-touch" />
            <rect x={c.x} y={height - c.height} width={c.width} height={c.height} className="rd-column" />
            {c.bad > 0 && <rect x={c.x} y={height - c.bad} width={c.width} height={c.bad} className="rd-column-bad" />}
            {c.bad > 0 && <rect x={c.x} y={height - c.bad} width={c.width} height={c.bad} fill={`url(#${hatch})`} />}
          </g>
        ))}
      </g>
      {samples.length > 0 && <text x="0" y={height + 30} className="rd-tick">{hourOf(samples[0]!.time)}</text>}
      {samples.length > 0 && <text x={width} y={height + 30} textAnchor="end" className="rd-tick">now</text>}
    </svg>
  );
}

/** The same, small enough for a row of a table: no texts, no axis. */
export function Spark({ samples, label }: { samples: Sample[]; label: string }) {
  const chart = columns(samples, 96, 22);
  return (
    <svg viewBox="0 0 96 24" width={96} height={24} role="img" aria-label={label} className="rd-spark">
      <line x1="0" x2="96" y1="23" y2="23" className="rd-axis" />
      {chart.columns.map((c) => (
        <g key={c.sample.time}>
          <rect x={c.x} y={23 - c.height} width={c.width} height={c.height} className="rd-column" />
          {c.bad > 0 && <rect x={c.x} y={23 - c.bad} width={c.width} height={c.bad} className="rd-column-bad" />}
        </g>
      ))}
    </svg>
  );
}

function Hatch({ id }: { id: string }) {
  return (
    <defs>
      <pattern id={id} width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <line x1="0" y1="0" x2="0" y2="5" className="rd-hatch" />
      </pattern>
    </defs>
  );
}

const hourOf = (ms: number) => new Date(ms).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
