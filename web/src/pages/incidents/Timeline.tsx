import { Link } from 'react-router';
import type { Effect, Moment } from '../../api/types';
import { BellIcon, CheckCircleIcon, HandPaperIcon, StopCircleIcon, UnlinkIcon } from '../../parts/icons';
import { alertPath } from '../../parts/links';
import { Timestamp } from '../../parts/Timestamp';
import { escapeText } from '../../text/escape';
import { clock, parseTime } from '../../text/time';

const icons: Record<Effect, [React.ComponentType, string]> = {
  ignore: [CheckCircleIcon, 'ignored'],
  alert: [BellIcon, 'alert'],
  prevent: [HandPaperIcon, 'prevented'],
  block: [StopCircleIcon, 'workload stopped'],
  isolate: [UnlinkIcon, 'network cut'],
};

/** What happened, moment by moment. */
export function Timeline({ of: moments }: { of: Moment[] }) {
  if (moments.length === 0) return <p>No moment was noted.</p>;
  return (
    <ol className="rd-timeline">
      {moments.map((m, i) => <Line key={i} of={m} newDay={day(m) !== day(moments[i - 1])} />)}
    </ol>
  );
}

function Line({ of: m, newDay }: { of: Moment; newDay: boolean }) {
  const ms = parseTime(m.time) ?? 0;
  const [Icon, says] = m.effect ? icons[m.effect] : [BellIcon, ''];
  return (
    <li>
      <span className="rd-timeline-time">
        {newDay && <span className="rd-sub">{day(m)}</span>}
        <Timestamp ms={ms}>{clock(ms)}</Timestamp>
      </span>
      <span className={`rd-timeline-icon rd-effect-${m.effect ?? 'none'}`} title={says}><Icon /></span>
      <span>
        {escapeText(m.text)} {says && <span className="pf-v6-screen-reader">({says})</span>}{' '}
        {m.alert && <Link to={alertPath(m.alert)}>{m.alert}</Link>}
      </span>
    </li>
  );
}

function day(m: Moment | undefined): string {
  const ms = parseTime(m?.time);
  return ms === undefined ? '' : new Date(ms).toLocaleDateString('en-CA');
}
