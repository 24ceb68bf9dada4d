import type { Weight } from '../../api/functionTypes';

/** The versions behind an alias, each as wide as its share of the calls. */
export function Shares({ of: weights, label }: { of: readonly Weight[]; label: string }) {
  if (weights.length === 0) return <p>It points to no version.</p>;
  return (
    <div className="rd-shares" role="img" aria-label={`${label}: ${weights.map((w) => `version ${w.version} ${w.percent} %`).join(', ')}`}>
      {weights.map((w, i) => (
        <span key={w.version} className={`rd-share${i === 0 ? ' rd-share-first' : ''}`} style={{ flex: `${w.percent} 0 0` }} title={`version ${w.version}: ${w.percent} %`}>
          {w.percent >= 5 && <>{w.percent >= 20 && 'version '}{w.version}{weights.length > 1 && `: ${w.percent} %`}</>}
        </span>
      ))}
    </div>
  );
}
