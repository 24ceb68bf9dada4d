// Answers about functions as a console with a small shop gives them, so that
// their pages are tested whole wherever the console runs.

const now = Date.now();
const ago = (minutes) => new Date(now - minutes * 60_000).toISOString();
const ms = 1e6;

const spec = (more) => ({ runtime: 'nodejs', language: '20', handler: 'index.handler', memory: 256, timeout: 5, tmp: 64, concurrency: { max: 10, warm: 1, idle: 300 }, ...more });
const code = (n) => ({ digest: `sha256:${String(n).repeat(64).slice(0, 64)}`, size: 4000 * n, unpacked: 18_000 * n, files: 7 });
const role = { egress: ['api.pay.example:443', '*.example.com:443'], secrets: ['pay-key'], queues: ['mail'], functions: ['stock'] };

const fn = (id, more) => ({
  id, time: ago(300), by: 'user/ada', description: '', state: 'active', revision: 7, runtime: 'nodejs', language: '20', memory: 256, version: 1, newest: 1,
  live: [{ version: 1, percent: 100 }], triggers: [], last: ago(2), calls: 0, errors: 0, refused: 0, billed: 0, gb_seconds: 0, model: 'learning', coverage: 0.4, risks: [], ...more,
});

export const functions = [
  fn('orders', {
    description: 'Takes orders of the shop', version: 3, newest: 4, live: [{ version: 3, percent: 90 }, { version: 4, percent: 10 }], triggers: ['POST /orders', 'GET /orders/{id}'],
    calls: 4210, errors: 37, refused: 12, billed: 91e9, gb_seconds: 22.8, model: 'observing', coverage: 0.97,
    risks: ['its role reaches every host: *:443', '37 of 4210 calls in the last day failed', 'its model only alerts; enforce it when the alerts are right'],
  }),
  fn('stock', { runtime: 'python', language: '3.11', description: 'How many there are', calls: 980, model: 'enforcing', coverage: 0.99, last: ago(1) }),
  fn('invoice', { runtime: 'java', language: '17', memory: 512, calls: 12, coverage: 0.31, last: ago(200) }),
  fn('old-report', { runtime: 'dotnet', language: '6', last: undefined, model: '', coverage: 0, risks: ['dotnet 6 gets no security fixes since 2024-11-12: move to a newer one'] }),
  fn('thumbnail', { runtime: 'provided', language: '', state: 'disabled', reason: 'not used', last: ago(90_000), model: 'observing', coverage: 0.9 }),
];

const version = (number, more = {}) => ({ number, created: ago(60 * 24 * (6 - number)), by: 'user/ada', spec: spec({ role, triggers: [] }), code: code(number), ...more });

const detail = {
  ...functions[0],
  record: {
    name: 'orders', revision: 7, last: 4, state: 'active', created: ago(9000), updated: ago(300),
    aliases: { live: { weights: [{ version: 3, percent: 90 }, { version: 4, percent: 10 }], previous: [{ version: 3, percent: 100 }] }, beta: { weights: [{ version: 4, percent: 100 }] } },
    versions: [version(4), version(3), version(2), version(1)],
  },
  hints: { 1: ['nodejs 16 gets no security fixes since 2023-09-11: move to a newer one'] },
  hosted: [{ function: 'orders', version: 3, state: 'busy', pid: 4711, since: ago(12), calls: 210, memory: 61e6 }, { function: 'orders', version: 4, state: 'frozen', pid: 4712, since: ago(3), calls: 4, memory: 44e6 }],
};

function usage(query) {
  const by = query.get('by') ?? '';
  const row = (more) => ({ function: 'orders', calls: 10, errors: 0, refused: 0, cold: 1, duration: 200 * ms, billed: 210 * ms, gb_seconds: 0.05, in: 9000, out: 42_000, last: ago(2), ...more });
  const hour = (name, scale) => Array.from({ length: 24 }, (_, i) => {
    const calls = Math.round(scale * (1 + Math.sin(i / 3.3)) * (1 + (i % 4) / 9));
    return row({ function: name, time: new Date(Math.floor(now / 3.6e6 - i) * 3.6e6).toISOString(), calls, errors: i % 7 === 2 ? Math.round(calls / 6) : 0, refused: i % 5 ? 0 : 3, duration: calls * (18 + (i % 6) * 3) * ms });
  });
  let items = [];
  if (by.includes('hour')) items = [...hour('orders', 150), ...(query.get('function') ? [] : hour('stock', 40))];
  else if (by.includes('caller')) items = [row({ caller: 'role/web', calls: 3900 }), row({ caller: 'user/ada', calls: 290, errors: 3 }), row({ caller: 'anonymous', calls: 20, refused: 20 })];
  else items = [row({ version: 3, calls: 3800 }), row({ version: 4, calls: 410 })];
  return { since: ago(1440), until: new Date(now).toISOString(), items };
}

const invocation = (i, more) => ({
  id: `0b9f6b1e-0000-4000-8000-00000000000${i}`, time: ago(i), function: 'orders', version: 3, alias: 'live', caller: 'role/web', source: 'http', from: '10.0.0.7', route: 'POST /orders',
  outcome: 'succeeded', status: 200, decision: 'shop#1', start: 'warm', duration: 18 * ms, overhead: 0.6 * ms, billed: 19 * ms, cpu: 9 * ms, memory: 61e6, limit: 268e6, in: 412, out: 1800,
  uses: [{ kind: 'egress', target: 'api.pay.example:443', count: 2, bytes: 4100 }, { kind: 'secret', target: 'pay-key', count: 1 }], ...more,
});
export const invocations = [
  invocation(1), invocation(2, { start: 'cold', init: 4.1 * ms, duration: 31 * ms }),
  invocation(3, {
    outcome: 'failed', status: 502, error: 'TypeError: cannot read \u202eproperty of undefined', start: 'claimed',
    uses: [{ kind: 'exec', target: '/bin/sh', count: 1, refused: true }, { kind: 'egress', target: 'evil.example:443', count: 1, refused: true }],
    verdicts: [{ effect: 'prevent', enforced: 'kill', severity: 'critical', technique: 'T1059.004', reason: 'starts a shell, which no request led to before', rule: 'model' }],
  }),
  invocation(4, { outcome: 'denied', status: 403, caller: 'anonymous', uses: [], duration: undefined, start: undefined, memory: undefined }),
  invocation(5, { outcome: 'timeout', status: 504, duration: 5000 * ms }),
];

const lines = ['order 17 taken', 'paid: 12.50 €', '\u001b[31mnot red\u001b[0m <b>not bold</b>'].map((text, i) => ({ time: ago(9 - i), function: 'orders', version: 3, invocation: invocations[0].id, text }));

const seen = { first: ago(9000), last: ago(5), count: 4100, units: 300, callers: ['role/web', 'user/ada'], seen_with: [1, 2, 3, 4] };
const entry = (id, kind, target, more) => ({ id, kind, target, source: 'learned', ...seen, ...more });
const coverage = { share: 0.97, lower: 0.96, units: 812, missing: ['few calls at night'] };
const model = {
  function: 'orders', state: 'observing', revision: 3, since: ago(3000), calls: 41_000, units: 812, novel: 20, first: ago(9000), last: ago(2), coverage,
  versions: [{ number: 1, since: ago(9000) }, { number: 4, since: ago(2000), changed: true }], resources: { duration: { max: 410_000 }, memory: { max: 91e6 }, out: { max: 8200 } },
  entries: [
    entry('u1', 'egress', 'api.pay.example:443'), entry('u2', 'secret', 'pay-key'), entry('u3', 'write', '/tmp/order-*'), entry('u4', 'read', '/var/task/index.js'),
    entry('u5', 'egress', 'cdn.example.com:443', { weak: true, count: 1, callers: ['user/ada'] }), entry('u6', 'queue', 'mail', { source: 'manual', note: 'agreed with Ada', count: 0, seen_with: null, callers: null, last: undefined }),
    entry('u7', 'exec', '/bin/sh', { refused: 2, count: 0 }),
  ],
  routes: [{ name: 'http POST /orders', ...seen, fields: [
    { name: 'body.items[].id', types: 'string', class: 'uuid', length: 36, ...seen }, { name: 'body.note', types: 'string null', class: 'text', length: 140, prose: true, marks: "'!", ...seen }, { name: 'query.page', types: 'number', low: 1, high: 40, ...seen, manual: true },
  ] }],
};

const privileges = {
  function: 'orders', version: 3, role, wanted: [model.entries[6]],
  grants: [{ field: 'functions', grant: 'stock', days: 90 }, { field: 'egress', grant: '*.example.com:443', days: 0, last: ago(30), used: ['cdn.example.com:443'] }, { field: 'egress', grant: 'api.pay.example:443', days: 0, last: ago(2) }, { field: 'secrets', grant: 'pay-key', days: 0, last: ago(2) }, { field: 'queues', grant: 'mail', days: 40, last: ago(57_600) }],
  proposal: { ready: true, why: '41000 calls over 6 days, 812 of them independent, have shown at least 96.0 % of what it does', coverage, role: { ...role, functions: [], egress: ['api.pay.example:443', 'cdn.example.com:443'] }, changes: ['takes away functions stock: not used in 6 days', 'narrows egress *.example.com:443 to cdn.example.com:443'], doubts: ['connect to cdn.example.com:443: only user/ada led to it'] },
};

const node = (id, calls, more) => ({ id, kind: id.split('/')[0], name: id.slice(id.indexOf('/') + 1), calls, ...more });
const edge = (from, to, count, more) => ({ from, to, count, last: ago(3), ...more });
const map = {
  time: ago(0), since: ago(1440),
  nodes: [node('caller/role/web', 3900), node('caller/user/ada', 290), node('caller/anonymous', 20), node('route/POST /orders', 3100), node('route/GET /orders/{id}', 1100), node('function/orders', 4210, { errors: 37, verdicts: 2, model: 'observing' }), node('function/stock', 980), node('function/old-report', 0), node('egress/api.pay.example:443', 3000), node('egress/evil.example:443', 1), node('secret/pay-key', 3000), node('queue/mail', 0)],
  edges: [edge('caller/role/web', 'route/POST /orders', 2900), edge('caller/role/web', 'route/GET /orders/{id}', 1000), edge('caller/user/ada', 'route/POST /orders', 290), edge('caller/anonymous', 'route/POST /orders', 20, { refused: 20 }), edge('route/POST /orders', 'function/orders', 3100), edge('route/GET /orders/{id}', 'function/orders', 1100), edge('function/orders', 'function/stock', 980), edge('function/orders', 'egress/api.pay.example:443', 3000, { granted: true }), edge('function/orders', 'egress/evil.example:443', 1, { refused: 1 }), edge('function/orders', 'secret/pay-key', 3000, { granted: true }), edge('function/orders', 'queue/mail', 0, { granted: true })],
};

export const routes = [
  { id: 'orders-canary', description: 'Ten of a hundred go to the new version', method: 'POST', path: '/orders', stage: 'live', host: 'api.example.com', target: { function: 'orders', weights: [{ version: 3, percent: 90 }, { version: 4, percent: 10 }] }, auth: 'iam', timeout: 30, limits: { rate: 20, route_concurrent: 200 }, quota: { day: 10_000 }, firewall: { mode: 'prevent', paranoia: 1 } },
  { id: 'function-orders-1', owner: 'orders', method: 'GET', path: '/orders/{id}', stage: 'live', target: { function: 'orders' }, auth: 'key' },
  { id: 'legacy', path: '/old/{rest...}', stage: 'test', target: { url: 'https://old.example.com' }, auth: 'none', firewall: { mode: 'alert' } },
];
const principals = [
  { id: 'role/web', groups: ['shop'], sources: ['workload'], epoch: 1, created: ago(9000), updated: ago(800), by: 'user/ada', keys: 1, last: ago(3) },
  { id: 'user/mallory', groups: [], epoch: 2, created: ago(9000), updated: ago(20), by: 'user/ada', keys: 0, disabled: true, reason: 'left the company' },
];
const keys = [{ id: 'RDKA4711', kind: 'access', principal: 'role/web', name: 'the web application', created: ago(9000), last: ago(3) }, { id: 'abcd', kind: 'api', principal: 'key/abcd', name: 'a partner', created: ago(100), expires: ago(-9000), disabled: true }];
const policy = { id: 'shop', name: 'shop', description: 'What the shop needs', cedar: 'permit (\n  principal in Group::"shop",\n  action == Action::"function:Invoke",\n  resource == Function::"orders"\n);\n', revision: 2, statements: 1, created: ago(9000), updated: ago(400), by: 'ada' };
const page = (items) => ({ items, total: items.length });

/** What the console answers to a request about functions; undefined for other requests. */
export function answer(method, address, body) {
  const { pathname, searchParams } = new URL(address);
  const path = decodeURIComponent(pathname.replace('/api/v1', ''));
  const table = [
    [/^\/functions$/, () => page(functions)], [/^\/functions\/[^/]+$/, () => detail], [/\/state$/, () => ({ ...detail, ...(path.startsWith('/functions/') && !path.includes('model') && { id: path.split('/')[2] }) })],
    [/\/(rollback|adopt)$|\/aliases\//, () => detail], [/\/invocations$/, () => (method === 'POST' ? { record: invocations[0], payload: '{"ok":true}', lines } : page(invocations))],
    [/^\/invocations\//, () => invocations.find((i) => path.endsWith(i.id))], [/\/lines\/follow$/, () => ({ items: [], last: 3 })], [/\/lines$/, () => page([...lines].reverse())],
    [/^\/usage$/, () => usage(searchParams)], [/^\/environments$/, () => ({ items: [], gaps: ['Landlock is not in this kernel'] })], [/^\/map$/, () => map],
    [/^\/findings$/, () => ({ days: 30, items: searchParams.get('function') ? [{ function: 'orders', version: 1, action: 'delete-version', text: 'version 1 of orders is behind no alias and was not called for 30 days: delete it' }] : [{ function: 'old-report', action: 'disable', text: 'old-report was never called since it was made on 2026-08-01: disable it; that can be undone' }, { function: 'orders', version: 1, action: 'delete-version', text: 'version 1 of orders is behind no alias and was not called for 30 days: delete it' }] })],
    [/\/model(\/|$)/, () => model], [/\/privileges$/, () => privileges], [/^\/routes$/, () => (method === 'POST' ? { routes: [routes[0]], written: !searchParams.get('dry'), problems: /nonsense/.test(body?.source ?? '') ? [{ line: 2, message: 'kind must be Route' }] : null } : page(routes))],
    [/^\/routes\//, () => routes.find((r) => path.endsWith(r.id))], [/^\/principals$/, () => page(principals)], [/^\/principals\//, () => principals[0]],
    [/^\/keys$/, () => (method === 'POST' ? { ...keys[0], ...body, secret: 'rdk_abcd_secret' } : page(keys))], [/^\/access\/policies$/, () => page([policy])], [/\/history$/, () => page([policy, { ...policy, revision: 1, cedar: '// nobody\n' }])], [/^\/access\/policies\//, () => policy],
    [/^\/access\/check$/, () => ({ documents: [], problems: /nonsense/.test(body?.source ?? '') ? [{ line: 1, column: 1, message: 'expected permit or forbid' }] : null })], [/^\/access\/findings$/, () => ({ items: [{ check: 'any-resource', severe: true, policy: 'shop#1', message: 'it permits this on every resource: name those that are meant' }] })],
    [/^\/access\/vocabulary$/, () => ({ actions: ['function:Invoke', 'function:Read'], principals: principals.map((p) => p.id), resources: ['function/orders'] })],
    [/^\/access\/simulate$/, () => (body?.principal === 'role/web' ? { ...body, known: true, allow: true, policy: 'shop#1', statement: policy.cedar, took: 1 } : { ...body, known: false, allow: false, took: 1, changes: [{ kind: 'group', group: 'shop', policy: 'shop#1', why: 'members of group shop may do this: put user/eve into it' }, { kind: 'add', text: 'permit (principal == User::"eve", action == Action::"function:Invoke", resource == Function::"orders");', why: 'no statement permits this' }] })],
    [/^\/access\/(who|what)-can$/, () => ({ items: [{ principal: 'role/web', action: 'function:Invoke', resource: 'function/orders', policy: 'shop#1' }] })],
  ];
  if (!/^\/(functions|invocations|usage|environments|map|findings|routes|principals|keys|access)(\/|$)/.test(path)) return undefined;
  return table.find(([form]) => form.test(path))?.[1]();
}
