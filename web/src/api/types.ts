// The bodies of the console's public API, as the Go types in internal/api,
// internal/redoubt, internal/profile, internal/guard and internal/policy
// print them. A Go slice or map may be null, so lists are read through list().

export type List<T> = T[] | null | undefined;

/** A Go slice as JSON has it: null stands for empty. */
export function list<T>(l: List<T>): T[] {
  return l ?? [];
}

export type Role = 'admin' | 'operator' | 'auditor';
export type EventKind =
  | 'exec' | 'exit' | 'listen' | 'connect' | 'accept' | 'start' | 'stop' | 'loss' | 'action';
export type Effect = 'ignore' | 'alert' | 'prevent' | 'block' | 'isolate';
export type Severity = 'none' | 'low' | 'medium' | 'high' | 'critical';
export type Status = 'open' | 'acknowledged' | 'resolved';
export type State = 'learning' | 'observing' | 'enforcing' | 'archived';
export type Source = 'seeded' | 'learned' | 'inherited' | 'manual';
export type WorkloadKind = 'container' | 'service' | 'host';

export interface Page<T> {
  items: List<T>;
  next?: string;
  total?: number;
}

export interface Setup { needed: boolean }

export interface Session {
  user: string;
  role: Role;
  csrf?: string;
  expires?: string;
}

export interface User {
  name: string;
  role: Role;
  created: string;
  last?: string;
  locked?: string;
}

export interface Token {
  id: string;
  name: string;
  user: string;
  role: Role;
  created: string;
  expires?: string;
  last?: string;
}

export interface NewToken extends Token { secret: string }

export interface JoinToken {
  secret: string;
  expires: string;
  command: string;
}

export interface WorkloadRef {
  id: string;
  kind: WorkloadKind;
  name: string;
  container?: string;
  image?: string;
  digest?: string;
}

export interface Port { proto: 'tcp' | 'udp'; port: number }

export interface ProfileCoverage {
  share: number;
  lower: number;
  units: number;
  missing?: List<string>;
}

export interface Version { digest: string; image: string; since: string }

export interface ProfileSummary {
  id: string;
  workload: WorkloadRef;
  state: State;
  time: string;
  since: string;
  revision: number;
  entries: number;
  coverage: ProfileCoverage;
  versions?: List<Version>;
}

export interface Entry {
  id: string;
  kind: EventKind;
  exec?: { path: string; digests?: List<string>; parent?: string; args?: List<string> };
  listen?: { proto: 'tcp' | 'udp'; port: number; path?: string };
  connect?: { proto: 'tcp' | 'udp'; peer: string; port: number; path?: string };
  source: Source;
  first?: string;
  last?: string;
  count: number;
  units: number;
  unit?: string;
  note?: string;
}

export interface Profile {
  workload: string;
  state: State;
  revision: number;
  since: string;
  versions?: List<Version>;
  entries: List<Entry>;
  units: number;
  novel: number;
  coverage: ProfileCoverage;
}

export interface Workload extends Omit<WorkloadRef, 'id'> {
  id: string;
  time: string;
  node: string;
  labels?: Record<string, string> | null;
  cgroup: string;
  pid?: number;
  entrypoint?: List<string>;
  command?: List<string>;
  health?: List<string>;
  exposes?: List<Port>;
  addresses?: List<string>;
  started: string;
  running: boolean;
  isolated: boolean;
  workload: WorkloadRef;
  profile: ProfileSummary;
  alerts: number;
  worst?: Severity;
}

export interface File {
  key: { dev: number; ino: number; ctime: number };
  digest?: string;
  origin: 'image' | 'written' | 'memory';
  error?: string;
}

export interface Process {
  pid: number;
  path: string;
  file?: File;
  args?: List<string>;
  truncated?: boolean;
  uid: number;
  caps?: number;
  cwd?: string;
  entered?: boolean;
  started?: string;
  parent?: Process;
}

export interface Connection {
  proto: 'tcp' | 'udp';
  local: string;
  remote?: string;
  peer?: string;
}

export interface Verdict {
  effect: Effect | '';
  rule?: string;
  entry?: string;
  reason?: string;
  technique?: string;
  severity?: Severity;
  enforced?: string;
  novel?: boolean;
}

export interface Event {
  id: string;
  time: string;
  node: string;
  kind: EventKind;
  workload: WorkloadRef;
  process?: Process;
  network?: Connection;
  exit?: number;
  note?: string;
  count: number;
  verdict: Verdict;
}

export interface Comment { time: string; author: string; text: string }

export interface Alert {
  id: string;
  time: string;
  first: string;
  kind: EventKind;
  title: string;
  node: string;
  workload: WorkloadRef;
  process?: Process;
  network?: Connection;
  verdict: Verdict;
  severity: Severity;
  count: number;
  event: string;
  incident?: string;
  status: Status;
  status_by?: string;
  comments?: List<Comment>;
}

export interface Moment { time: string; text: string; alert?: string; effect?: Effect }

export interface Incident {
  id: string;
  time: string;
  first: string;
  title: string;
  workload: WorkloadRef;
  severity: Severity;
  techniques?: List<string>;
  alerts: List<string>;
  count: number;
  status: Status;
  status_by?: string;
  timeline?: List<Moment>;
  comments?: List<Comment>;
}

export interface NodeStatus {
  id: string;
  time: string;
  hostname: string;
  kernel: string;
  version: string;
  started: string;
  connected: boolean;
  sensor: { sensing: List<string>; exec: List<string>; connect: List<string>; cgroups: string };
  engines: List<{ name: string; version?: string; error?: string }>;
  load: {
    cpu: number;
    rss: number;
    kernel_ns: number;
    events: number;
    known: number;
    lost: number;
    dropped: number;
  };
  workloads: number;
  spooled: number;
  gaps?: List<string>;
}

export interface Point { time: string; events: number; alerts: number }

export interface AuditState { entries: number; intact: boolean; broken?: string }

export interface Overview {
  time: string;
  workloads: number;
  states: Partial<Record<State, number>> | null;
  alerts: Partial<Record<Severity, number>> | null;
  incidents: List<Incident>;
  coverage: number;
  learning: List<ProfileSummary>;
  nodes: List<NodeStatus>;
  gaps: List<string>;
  events: number;
  rate: List<Point>;
  audit: AuditState;
}

export interface RadarNode {
  id: string;
  kind: WorkloadKind | 'outside';
  name: string;
  image?: string;
  state?: State;
  coverage: number;
  instances: number;
  alerts: number;
  worst?: Severity;
  isolated?: boolean;
  ports?: List<Port>;
}

export interface RadarEdge {
  from: string;
  to: string;
  proto: 'tcp' | 'udp';
  port: number;
  count: number;
  last: string;
  novel?: boolean;
  denied?: boolean;
}

export interface Radar { time: string; nodes: List<RadarNode>; edges: List<RadarEdge> }

export interface Difference { field: string; want: string; got: string; same: boolean }

export interface PolicyRule { name: string; effect: Effect; note?: string; [match: string]: unknown }

export interface Change { text: string; entry?: Entry; policy?: string; rule?: PolicyRule }

export interface Explanation {
  event: Event;
  verdict: Verdict;
  rules: List<{ rule: string; matched: boolean; why: string }>;
  nearest?: Entry;
  compared?: List<Difference>;
  allow?: Change;
  advice: string;
}

export interface Policy {
  name: string;
  description?: string;
  priority: number;
  disabled?: boolean;
  scope: Record<string, unknown>;
  rules: List<PolicyRule>;
}

export interface PolicyDocument {
  id: string;
  time: string;
  author: string;
  revision: number;
  source: string;
  policy: Policy;
}

export interface Problem { line: number; column?: number; message: string }

export interface Preview {
  problems?: List<Problem>;
  events: number;
  from?: string;
  changed: number;
  samples?: List<{ event: Event; then: Verdict }>;
}

export interface AuditEntry {
  id: string;
  time: string;
  actor: string;
  from?: string;
  action: string;
  object: string;
  result: string;
  before?: string;
  after?: string;
  hash: string;
}

export interface StreamMessage { type: string; id: string; data?: unknown }
