import { ApiError } from '../api/client';
import type { Problem } from '../api/types';

/** The problems with line numbers in a refusal; those already known where it names none. */
export function problemsOf(error: unknown, known: Problem[] = []): Problem[] {
  if (!(error instanceof ApiError)) return known;
  const found = [...error.errors.map((e) => e.message ?? ''), ...error.detail.split('\n')]
    .map(parse)
    .filter((p) => p !== undefined);
  return found.length > 0 ? found : known;
}

function parse(text: string): Problem | undefined {
  const at = /\bline (\d+)(?:, column (\d+))?:?\s*(.*)/.exec(text);
  if (!at) return undefined;
  return { line: Number(at[1]), ...(at[2] && { column: Number(at[2]) }), message: at[3] || text };
}
