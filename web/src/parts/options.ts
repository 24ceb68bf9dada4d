// Choices that several lists share.

export const severities = ['critical', 'high', 'medium', 'low'] as const;

export const spans = { '15m': 'Last 15 minutes', '1h': 'Last hour', '24h': 'Last day', '7d': 'Last 7 days', '30d': 'Last 30 days' };

/** Without a choice a list shows what is open; "all" asks for every status. */
export function statusChoice(chosen: string): { status?: string } {
  if (chosen === 'all') return {};
  return { status: chosen || 'open' };
}
