import * as icon from './icons';
import { Sign } from './Sign';
import type { Look } from './Sign';

const outcomes: Record<string, [look: Look, means: string]> = {
  succeeded: [['green', icon.CheckCircleIcon], 'The handler answered.'],
  failed: [['red', icon.TimesCircleIcon], 'The handler answered with an error.'],
  timeout: [['red', icon.ClockIcon, 'timed out'], 'It was ended at its time limit.'],
  crashed: [['red', icon.BugIcon], 'The environment ended or broke the contract; it was destroyed.'],
  abandoned: [['grey', icon.UnlinkIcon], 'The caller went away, or the gateway stopped, before it ended.'],
  denied: [['orange', icon.BanIcon], 'The caller is not authorized. The code did not run.'],
  refused: [['orange', icon.HandPaperIcon], 'Firewall, model or a size limit said no. The code did not run.'],
  throttled: [['yellow', icon.PauseIcon], 'Rate, quota or concurrency was used up. The code did not run.'],
  gone: [['grey', icon.BanIcon, 'not there'], 'The function is disabled or has no such version. The code did not run.'],
};

export const outcomeNames = Object.keys(outcomes);

/** How an invocation ended. */
export function OutcomeLabel({ of }: { of: string }) {
  const [look, means] = outcomes[of] ?? [['grey', icon.InfoCircleIcon] as Look, undefined];
  return <Sign look={look} text={of} title={means} />;
}

const starts: Record<string, [look: Look, means: string]> = {
  cold: [['blue', icon.SnowflakeIcon], 'An environment was started for this call.'],
  claimed: [['purple', icon.BoltIcon], 'A runtime that waited took the code for this call.'],
  warm: [['orange', icon.FireIcon], 'The environment had served before.'],
};

/** What an invocation found: cold, claimed or warm. */
export function StartLabel({ of }: { of: string | undefined }) {
  const [look, means] = starts[of ?? ''] ?? [];
  return look ? <Sign look={look} text={of!} title={means} /> : <span>–</span>;
}

/** Whether a function may be called. */
export function FnStateLabel({ of, reason }: { of: string; reason?: string | undefined }) {
  return of === 'disabled'
    ? <Sign look={['grey', icon.BanIcon]} text="disabled" title={`Calls answer 410.${reason ? ` ${reason}` : ''}`} />
    : <Sign look={['green', icon.CheckCircleIcon]} text="active" title="It can be called." />;
}
