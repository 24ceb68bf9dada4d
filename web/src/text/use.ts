import { commandLine, escapeText } from './escape';

// What functions use, in words.

const kinds: Record<string, [one: string, group: string]> = {
  exec: ['start', 'Programs it starts'],
  egress: ['connect to', 'Addresses it connects to'],
  dns: ['look up', 'Names it looks up'],
  aws: ['call', 'Calls to AWS'],
  function: ['invoke', 'Functions it invokes'],
  bucket: ['use bucket', 'Buckets'],
  queue: ['send to queue', 'Queues it sends to'],
  secret: ['read secret', 'Secrets'],
  read: ['read', 'Files it reads'],
  write: ['write', 'Files it writes'],
};

/** The kinds of use in the order people read them. */
export const useKinds = Object.keys(kinds);

/** A heading over the uses of a kind. */
export const kindTitle = (kind: string) => kinds[kind]?.[1] ?? kind;

/** "connect to api.example.com:443". */
export function deedText(u: { kind: string; target: string; args?: string[] | null }): string {
  return `${kinds[u.kind]?.[0] ?? u.kind} ${targetText(u)}`;
}

/** The thing used; of a program also the shape of its arguments, where it is known. */
export function targetText(u: { target: string; args?: string[] | null }): string {
  return u.args ? commandLine([u.target, ...u.args.slice(1)]) : escapeText(u.target);
}

const fields: Record<string, string> = {
  egress: 'Addresses', aws: 'AWS actions', exec: 'Programs', write: 'Folders to write', functions: 'Functions', buckets: 'Buckets', queues: 'Queues', secrets: 'Secrets',
};

/** A field of a role, in words. */
export const fieldTitle = (field: string) => fields[field] ?? field;
