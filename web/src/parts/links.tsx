import { Link } from 'react-router';
import type { WorkloadRef } from '../api/types';
import { escapeText, shorten } from '../text/escape';

/** Where the page of an instance, or of the workload where there is none, is. */
export const workloadPath = (instance: string) => `/workloads/${encodeURIComponent(instance)}`;

export function WorkloadLink({ of, instance }: { of: WorkloadRef; instance?: string }) {
  return (
    <Link to={workloadPath(instance ?? (of.container || of.id))} title={escapeText(of.id)}>
      {shorten(escapeText(of.name || of.id), 40)}
    </Link>
  );
}

export const alertPath = (id: string) => `/alerts/${encodeURIComponent(id)}`;
export const incidentPath = (id: string) => `/incidents/${encodeURIComponent(id)}`;
export const eventPath = (id: string) => `/events/${encodeURIComponent(id)}`;
export const policyPath = (name: string) => `/policies/${encodeURIComponent(name)}`;
export const functionPath = (name: string) => `/functions/${encodeURIComponent(name)}`;
export const invocationPath = (of: { function: string; id: string }) => `${functionPath(of.function)}?tab=invocations&id=${encodeURIComponent(of.id)}`;
export const routePath = (id: string) => `/gateway/${encodeURIComponent(id)}`;
export const accessPolicyPath = (name: string) => `/callers/policies/${encodeURIComponent(name)}`;
