import { escapeText } from '../text/escape';
import { diff, fold, pretty } from '../text/diff';

const looks = { ' ': '', '-': 'rd-gone', '+': 'rd-new' };
const says = { ' ': '', '-': 'removed', '+': 'added' };

/** A text before and after a change, line by line; `none` is said where nothing differs. */
export function Diff({ before, after, none }: { before: string | undefined; after: string | undefined; none: string }) {
  const pieces = diff(pretty(before), pretty(after));
  if (pieces.every(([sign]) => sign === ' ')) return <p>{none}</p>;
  return (
    <pre className="rd-diff" tabIndex={0} aria-label="What changed">
      {fold(pieces).map((p, i) =>
        typeof p === 'number' ? <div key={i} className="rd-sub">  … {p} lines the same</div> : (
          <div key={i} className={looks[p[0]]}>
            <span className="pf-v6-screen-reader">{says[p[0]]}</span>{p[0]} {escapeText(p[1])}
          </div>
        ))}
    </pre>
  );
}
