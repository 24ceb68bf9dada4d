import { plural } from '../../text/number';

/** What shapes, signs and colours of the map mean. */
export function Legend({ matches }: { matches: number | undefined }) {
  return (
    <div className="rd-radar-legend">
      {matches !== undefined && <strong role="status">{plural(matches, 'match', 'matches')}</strong>}
      <span><Sign>…</Sign> learning</span>
      <span><Sign>◉</Sign> observing</span>
      <span><Sign>✓</Sign> enforcing</span>
      <span><Sign>✂</Sign> isolated</span>
      <span>○ container</span>
      <span>□ service</span>
      <span>◇ outside</span>
      <span className="rd-legend-critical">● number: open alerts, colour of the worst</span>
      <span className="rd-legend-novel">- - ! new connection</span>
      <span className="rd-legend-denied">··· ✕ denied connection</span>
    </div>
  );
}

const Sign = ({ children }: { children: string }) => <span className="rd-legend-sign" aria-hidden="true">{children}</span>;
