import { Link } from 'react-router';
import { list } from '../../api/types';
import type { Overview, Severity } from '../../api/types';
import { CheckCircleIcon, DisconnectedIcon, ExclamationTriangleIcon, SeverityCriticalIcon, SeverityImportantIcon, SeverityMinorIcon, SeverityModerateIcon } from '../../parts/icons';
import { count, percent, plural } from '../../text/number';

const icons: [Severity, React.ComponentType, tone: string][] = [
  ['critical', SeverityCriticalIcon, 'danger'],
  ['high', SeverityImportantIcon, 'danger'],
  ['medium', SeverityModerateIcon, 'warning'],
  ['low', SeverityMinorIcon, 'info'],
];

/** The first line of the overview: what asks for a person now. */
export function Attention({ of: o }: { of: Overview }) {
  const nodes = list(o.nodes);
  const away = nodes.filter((n) => !n.connected).length;
  const lost = nodes.reduce((sum, n) => sum + n.load.lost + n.load.dropped, 0);
  const open = icons.filter(([s]) => (o.alerts?.[s] ?? 0) > 0);
  return (
    <div className="rd-tiles" role="list" aria-label="What needs attention">
      {open.map(([s, icon, tone]) => (
        <Tile key={s} to={`/alerts?status=open&severity=${s}`} icon={icon} tone={tone} value={count(o.alerts?.[s] ?? 0)} says={`open ${s} ${o.alerts?.[s] === 1 ? 'alert' : 'alerts'}`} />
      ))}
      {open.length === 0 && nodes.length > away && <Tile to="/alerts" icon={CheckCircleIcon} tone="success" value="0" says="open alerts" />}
      {nodes.length === 0 && <Tile to="/nodes" icon={DisconnectedIcon} tone="danger" value="0" says="nodes: nobody watches" />}
      {away > 0 && <Tile to="/nodes" icon={DisconnectedIcon} tone="danger" value={count(away)} says={`of ${plural(nodes.length, 'node')} not reporting`} />}
      {lost > 0 && <Tile to="/nodes" icon={ExclamationTriangleIcon} tone="warning" value={count(lost)} says="events lost: the record has holes" />}
      {!o.audit.intact && <Tile to="/audit" icon={ExclamationTriangleIcon} tone="danger" value="broken" says="the audit trail was changed" />}
      <Tile to="/workloads" icon={CheckCircleIcon} tone="info" value={percent(o.coverage)} says="of behaviour covered, mean over profiles" />
    </div>
  );
}

function Tile({ to, icon: Icon, tone, value, says }: { to: string; icon: React.ComponentType; tone: string; value: string; says: string }) {
  return (
    <div role="listitem">
      <Link to={to} className={`rd-tile rd-${tone}`}>
        <span className="rd-tile-icon"><Icon /></span>
        <span className="rd-tile-value">{value}</span>
        <span className="rd-tile-says">{says}</span>
      </Link>
    </div>
  );
}
