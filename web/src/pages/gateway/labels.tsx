import * as icon from '../../parts/icons';
import { Sign } from '../../parts/Sign';
import type { Look } from '../../parts/Sign';

const auths: Record<string, [look: Look, means: string]> = {
  iam: [['green', icon.LockIcon, 'signature or token'], 'A signed request or a short-lived token; access policies decide.'],
  key: [['blue', icon.KeyIcon, 'API key'], 'An API key in a header; access policies decide.'],
  jwt: [['blue', icon.KeyIcon, 'JWT'], 'A token of a known issuer; access policies decide.'],
  none: [['orange', icon.ExclamationTriangleIcon, 'no proof'], 'Anybody may ask; access policies see an anonymous caller.'],
};

/** How callers of a route show who they are. */
export function AuthLabel({ of }: { of: string | undefined }) {
  const [look, means] = auths[of || 'iam'] ?? auths['iam']!;
  return <Sign look={look} text={of || 'iam'} title={means} />;
}

const modes: Record<string, [look: Look, means: string]> = {
  off: [['grey', icon.BanIcon], 'Requests are not inspected.'],
  alert: [['yellow', icon.BellIcon, 'alerts'], 'Attacks raise an alert and pass.'],
  prevent: [['green', icon.HandPaperIcon, 'prevents'], 'Attacks are refused and raise an alert.'],
};

/** What becomes of requests the firewall trips on. */
export function FirewallLabel({ of }: { of: string | undefined }) {
  const [look, means] = modes[of || 'alert'] ?? modes['alert']!;
  return <Sign look={look} text={of || 'alert'} title={means} />;
}
