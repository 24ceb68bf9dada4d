import { list } from '../api/types';
import type { Entry, Event, Process } from '../api/types';
import { commandLine, escapeText } from './escape';

/** What a profile entry allows, as a sentence part; "*" stands for any. */
export function allows(e: Entry): string {
  if (e.exec) {
    const args = shape(e);
    const says = args === undefined ? 'any arguments' : args.length === 0 ? 'no arguments' : `arguments ${commandLine(args)}`;
    return `${escapeText(e.exec.path)} started by ${starter(e.exec.parent)}, ${says}`;
  }
  if (e.listen) return `listen on ${e.listen.port || 'any ephemeral port'}/${e.listen.proto} by ${by(e.listen.path)}`;
  if (e.connect) return `connect to ${escapeText(e.connect.peer)} port ${e.connect.port || 'any'}/${e.connect.proto} by ${by(e.connect.path)}`;
  return e.kind;
}

/** The argument patterns of an entry without the program's own name; undefined is any. */
export function shape(e: Entry): string[] | undefined {
  if (e.exec?.args == null) return undefined;
  const [own = '', ...others] = e.exec.args;
  const { path } = e.exec;
  return own === path || own === '*' || own === path.slice(path.lastIndexOf('/') + 1) ? others : e.exec.args;
}

/** Whoever starts a program: "outside" stands for a parent outside the workload. */
export function starter(parent: string | undefined): string {
  if (!parent) return 'anything';
  return parent === 'outside' ? 'somebody outside the workload' : escapeText(parent);
}

const by = (path: string | undefined) => (path ? escapeText(path) : 'any program');

/** One line for an event or alert: the command, the connection or the note. */
export function summary(e: Pick<Event, 'kind' | 'process' | 'network'> & { note?: string; exit?: number }): string {
  const program = e.process ? escapeText(e.process.path) : '';
  const net = e.network;
  switch (e.kind) {
    case 'exec':
      return command(e.process);
    case 'exit':
      return `${program} ended with ${e.exit ?? '?'}`;
    case 'listen':
      return `${program} listens on ${net?.local ?? '?'} ${net?.proto ?? ''}`;
    case 'connect':
      return `${program} → ${net?.remote ?? '?'} ${net?.proto ?? ''}${net?.peer ? ` (${escapeText(net.peer)})` : ''}`;
    case 'accept':
      return `${program} ← ${net?.remote ?? '?'} at ${net?.local ?? '?'} ${net?.proto ?? ''}`;
    default:
      return escapeText(e.note ?? '') || e.kind;
  }
}

/** The command of a process; the path where it has no arguments. */
export function command(p: Process | undefined): string {
  if (!p) return '';
  const args = list(p.args);
  return commandLine(args.length > 0 ? [p.path, ...args.slice(1)] : [p.path]) + (p.truncated ? ' …' : '');
}

/** The chain of a process from its oldest known ancestor down to itself. */
export function chain(p: Process | undefined, most = 64): Process[] {
  const up: Process[] = [];
  for (let at = p; at && up.length < most; at = at.parent) up.push(at);
  return up.reverse();
}
