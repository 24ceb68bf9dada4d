// The bodies of the console's public API, by the names the pages use.
// openapi.ts is generated from docs/reference/openapi.json by `npm run types`.
import type { components } from './openapi';

type S = components['schemas'];

export type List<T> = T[] | null | undefined;

/** A list of the API, where null stands for an empty one. */
export function list<T>(l: List<T>): T[] {
  return l ?? [];
}

export interface Page<T> {
  items: T[] | null;
  next?: string;
  total?: number;
}

export type Role = S['UserRequest']['role'];
export type EventKind = S['Event']['kind'];
export type Effect = Exclude<S['Verdict']['effect'], ''>;
export type Severity = S['Alert']['severity'];
export type Status = S['Alert']['status'];
export type State = Exclude<S['Profile']['state'], ''>;
export type MaybeState = S['Profile']['state'];

export type Alert = S['Alert'];
export type Applied = S['Applied'];
export type AuditEntry = S['AuditEntry'];
export type AuditState = S['AuditState'];
export type Change = S['Change'];
export type Comment = S['Comment'];
export type Entry = S['ProfileEntry'];
export type Event = S['Event'];
export type Explanation = S['Explanation'];
export type Incident = S['Incident'];
export type JoinToken = S['JoinToken'];
export type Moment = S['Moment'];
export type NewToken = S['NewToken'];
export type NodeStatus = S['NodeStatus'];
export type Overview = S['Overview'];
export type Point = S['Point'];
export type PolicyDocument = S['PolicyDocument'];
export type PolicyRevision = S['PolicyRevision'];
export type Preview = S['Preview'];
export type Problem = S['PolicyProblem'];
export type Process = S['Process'];
export type Profile = S['Profile'];
export type ProfileCoverage = S['ProfileCoverage'];
export type ProfileSummary = S['ProfileSummary'];
export type Radar = S['Radar'];
export type RadarEdge = S['RadarEdge'];
export type RadarNode = S['RadarNode'];
export type Session = S['Session'];
export type Setup = S['Setup'];
export type StreamMessage = S['StreamMessage'];
export type Token = S['Token'];
export type User = S['User'];
export type Verdict = S['Verdict'];
export type Workload = S['Workload'];
export type WorkloadRef = S['WorkloadRef'];
