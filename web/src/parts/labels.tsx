import { Label } from '@patternfly/react-core';
import type { Effect, MaybeState, Severity, State, Status, Verdict } from '../api/types';
import * as icon from './icons';
import { Sign } from './Sign';
import type { Look } from './Sign';

const severities: Record<Severity, Look> = {
  critical: ['red', icon.SeverityCriticalIcon],
  high: ['orangered', icon.SeverityImportantIcon],
  medium: ['yellow', icon.SeverityModerateIcon],
  low: ['blue', icon.SeverityMinorIcon],
  none: ['grey', icon.SeverityNoneIcon, 'no severity'],
};

export function SeverityLabel({ of }: { of: Severity | undefined }) {
  return <Sign look={severities[of ?? 'none'] ?? severities.none} text={of ?? 'none'} />;
}

const states: Record<State, Look> = {
  learning: ['purple', icon.GraduationCapIcon],
  observing: ['blue', icon.EyeIcon],
  enforcing: ['green', icon.LockIcon],
  archived: ['grey', icon.ArchiveIcon],
};

export const stateMeaning: Record<State, string> = {
  learning: 'New behaviour is taken into the profile without an alert.',
  observing: 'New behaviour raises an alert; nothing is stopped.',
  enforcing: 'New behaviour is prevented and raises an alert.',
  archived: 'The workload is gone; its profile is kept.',
};

export function StateLabel({ of }: { of: MaybeState | undefined }) {
  if (!of) return <span>–</span>;
  return <Sign look={states[of]} text={of} title={stateMeaning[of]} />;
}

const effects: Record<Effect, Look> = {
  ignore: ['grey', icon.EyeIcon, 'ignored'],
  alert: ['yellow', icon.BellIcon],
  prevent: ['green', icon.HandPaperIcon, 'prevented'],
  block: ['green', icon.StopCircleIcon, 'stopped'],
  isolate: ['green', icon.UnlinkIcon, 'isolated'],
};

/** What was done. An effect that was wanted but not carried out says so. */
export function EffectLabel({ of }: { of: Verdict }) {
  const byProfile = !of.rule || of.rule.split('/')[0] === 'profile';
  if (!of.effect || (of.effect === 'ignore' && byProfile)) {
    return of.novel
      ? <Sign look={['purple', icon.GraduationCapIcon]} text="learned" title="New, and taken into the profile" />
      : <Sign look={['grey', icon.CheckCircleIcon]} text="known" title="Within the profile" />;
  }
  const acts = of.effect === 'prevent' || of.effect === 'block' || of.effect === 'isolate';
  if (acts && !of.enforced) {
    return <Sign look={['orange', icon.ExclamationTriangleIcon]} text={`${of.effect}: not carried out`} title="The rule wanted this, but the node could not do it. The node's page says why." />;
  }
  return <Sign look={effects[of.effect]} text={of.effect} title={of.enforced ? `carried out by ${of.enforced}` : undefined} />;
}

const statuses: Record<Status, Look> = {
  open: ['orange', icon.BellIcon],
  acknowledged: ['blue', icon.EyeIcon],
  resolved: ['green', icon.CheckCircleIcon],
};

/** A status; `whole` says who set it, too, where there is room. */
export function StatusLabel({ of, by, whole }: { of: Status; by?: string | undefined; whole?: boolean }) {
  return <Sign look={statuses[of]} text={whole && by ? `${of} by ${by}` : of} title={by ? `by ${by}` : undefined} />;
}

export function Technique({ id }: { id: string | undefined }) {
  if (!id) return null;
  return (
    <Label isCompact variant="outline" className="rd-label" title={`MITRE ATT&CK technique ${id}`}>
      {id}
    </Label>
  );
}
