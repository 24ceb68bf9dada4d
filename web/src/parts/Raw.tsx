import { commandLine, escapeText, shorten } from '../text/escape';

/** Text from outside: nothing in it is invisible, the whole of it on hover. */
export function Raw({ text, max = 200 }: { text: string | undefined; max?: number }) {
  const shown = escapeText(text ?? '');
  return (
    <code className="rd-raw" title={shown.length > max ? shown.slice(0, 4000) : undefined}>
      {shorten(shown, max)}
    </code>
  );
}

/** A program with its arguments. */
export function Command({ args, max = 200 }: { args: readonly string[]; max?: number }) {
  const shown = commandLine(args);
  return (
    <code className="rd-raw" title={shown.length > max ? shown.slice(0, 4000) : undefined}>
      {shorten(shown, max)}
    </code>
  );
}
