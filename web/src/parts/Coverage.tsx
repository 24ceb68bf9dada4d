import { Progress, ProgressMeasureLocation } from '@patternfly/react-core';
import { list } from '../api/types';
import type { ProfileCoverage } from '../api/types';
import { percent, plural } from '../text/number';
import { escapeText } from '../text/escape';

/** How much of a workload's behaviour the profile holds for certain. */
export function CoverageBar({ of: c, label }: { of: ProfileCoverage; label?: string }) {
  return (
    <Progress
      value={Math.floor(c.lower * 100)}
      aria-label={label ?? 'Coverage'}
      valueText={covered(c)}
      measureLocation={ProgressMeasureLocation.none}
      size="sm"
    />
  );
}

/** "97 % covered after 4,210 observations"; few observations say how little is certain. */
export function covered(c: ProfileCoverage): string {
  if (c.units === 0) return 'nothing observed yet';
  const text = `${percent(c.share)} covered after ${plural(c.units, 'observation')}`;
  return c.share - c.lower < 0.05 ? text : `${text}; ${percent(c.lower)} for certain`;
}

export function Missing({ of: c }: { of: ProfileCoverage }) {
  const missing = list(c.missing);
  if (missing.length === 0) return null;
  return (
    <div>
      <p>Probably still unseen:</p>
      <ul className="rd-bullets">{missing.map((m) => <li key={m}>{escapeText(m)}</li>)}</ul>
    </div>
  );
}
