// The bodies about functions, their gateway and who calls them, by the names
// the pages use.
import type { components } from './openapi';

type S = components['schemas'];

export type Fn = S['Function'];
export type FnDetail = S['FunctionDetail'];
export type FnRecord = S['FunctionRecord'];
export type FnVersion = S['FunctionVersion'];
export type FnState = Fn['state'];
export type Weight = S['FunctionWeight'];
export type Environment = S['Environment'];
export type Environments = S['Environments'];
export type Finding = S['FunctionFinding'];
export type Findings = S['Findings'];
export type UsageRow = S['UsageRow'];
export type Usage = S['Usage'];
export type Invocation = S['FunctionInvocation'];
export type Use = S['FunctionUse'];
export type FnRole = S['FunctionRole'];
export type LogLine = S['FunctionLine'];
export type Lines = S['Lines'];
export type Invoked = S['Invoked'];
export type FnModel = S['Model'];
export type ModelEntry = S['ModelEntry'];
export type ModelRoute = S['ModelRoute'];
export type ModelField = S['ModelField'];
export type ModelChange = S['ModelChange'];
export type NewEntry = S['ModelEntryRequest'];
export type UseKind = NewEntry['kind'];
export type Privileges = S['Privileges'];
export type Grant = S['ModelGrant'];
export type FnMap = S['FunctionMap'];
export type FnMapNode = S['FunctionMapNode'];
export type FnMapEdge = S['FunctionMapEdge'];

export type Route = S['Route'];
export type RoutesWritten = S['RoutesWritten'];
export type OpenAPIRequest = S['OpenAPIRequest'];

export type Principal = S['Principal'];
export type PrincipalRequest = S['PrincipalRequest'];
export type NewKey = S['NewAccessKey'];
export type Key = S['AccessKey'];
export type KeyRequest = S['AccessKeyRequest'];
export type AccessToken = S['AccessToken'];
export type AccessPolicy = S['AccessPolicy'];
export type AccessCheck = S['AccessCheck'];
export type AccessFinding = S['AccessFinding'];
export type Simulation = S['Simulation'];
export type SimulateRequest = S['SimulateRequest'];
export type AccessAnswer = S['Access'];
export type Vocabulary = S['Vocabulary'];
export type AccessFindings = S['AccessFindings'];
export type AccessList = S['AccessList'];
export type AccessCheckRequest = S['AccessCheckRequest'];
