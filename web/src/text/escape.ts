// Process names, arguments and paths come from whoever runs a program, so they
// may hold anything: control characters, terminal escapes, marks that turn the
// reading direction round. They are shown, never obeyed.

const simple: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\x1b': '\\e' };

// Control (Cc), format (Cf: bidi marks, zero-width), unassigned and private
// characters, lone surrogates, line and paragraph separators, odd spaces.
const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u00a0\u2000-\u200a\u202f\u205f\u3000\ufffd]/gu;

/** The text with everything invisible written out, as \n, \x07 or \u{202e}. */
export function escapeText(s: string): string {
  return s.replace(hidden, (c) => {
    const short = simple[c];
    if (short) return short;
    const code = c.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Arguments as one would type them in a shell, with nothing invisible. */
export function commandLine(args: readonly string[]): string {
  return args.map(quote).join(' ');
}

function quote(arg: string): string {
  const text = escapeText(arg);
  return text !== '' && /^[\w@%+=:,./\\{}[\]^~*?-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The text cut in its middle to at most max characters. */
export function shorten(s: string, max: number): string {
  if (s.length <= max) return s;
  const head = Math.ceil((max - 1) / 2);
  return `${s.slice(0, head)}…${s.slice(s.length - (max - 1 - head))}`;
}
