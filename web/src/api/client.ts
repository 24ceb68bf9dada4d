// The one place that talks HTTP: base path, CSRF, problem+json, query strings.

/** What the console answered instead of the thing asked for (RFC 9457). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: { message?: string; location?: string; value?: unknown }[] = [],
  ) {
    super(detail || title);
  }
}

export type Params = Record<string, string | number | boolean | undefined>;

let csrf = '';

/** Keeps the token that changing requests carry; it lives in memory only. */
export function setCsrf(token: string | undefined): void {
  csrf = token ?? '';
}

/** Path below /api/v1 with a query string; empty values are left out. */
export function url(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== '' && value !== false) query.set(key, String(value));
  }
  const text = query.toString();
  return `/api/v1${path}${text ? `?${text}` : ''}`;
}

export function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return call<T>('GET', url(path, params), undefined, signal);
}

export function send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, params?: Params): Promise<T> {
  return call<T>(method, url(path, params), body);
}

async function call<T>(method: string, target: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
  let answer: Response;
  try {
    answer = await fetch(target, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new ApiError(0, 'The console does not answer', 'No connection to the console. Is redoubt still running, and is this machine connected?');
  }
  if (!answer.ok) throw await problem(answer);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function problem(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => '');
  try {
    const p = JSON.parse(text) as { title?: string; detail?: string; errors?: ApiError['errors'] | null };
    return new ApiError(answer.status, p.title ?? answer.statusText, p.detail ?? '', p.errors ?? []);
  } catch {
    return new ApiError(answer.status, answer.statusText || `HTTP ${answer.status}`, '');
  }
}
