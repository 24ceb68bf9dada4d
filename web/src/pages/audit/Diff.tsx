import { escapeText } from '../../text/escape';
import { diff, fold, pretty } from './diff';

const looks = { ' ': '', '-': 'rd-gone', '+': 'rd-new' };
const says = { ' ': '', '-': 'removed', '+': 'added' };

/** An object before and after a change, line by line. */
export function Diff({ before, after, hash }: { before: string | undefined; after: string | undefined; hash: string }) {
  const pieces = diff(pretty(before), pretty(after));
  return (
    <>
      {pieces.length === 0 ? <p>This act has no before and after.</p> : (
        <pre className="rd-diff" tabIndex={0} aria-label="What changed">
          {fold(pieces).map((p, i) =>
            typeof p === 'number' ? <div key={i} className="rd-sub">  … {p} lines the same</div> : (
              <div key={i} className={looks[p[0]]}>
                <span className="pf-v6-screen-reader">{says[p[0]]}</span>{p[0]} {escapeText(p[1])}
              </div>
            ))}
        </pre>
      )}
      <p className="rd-sub">hash {hash}</p>
    </>
  );
}
