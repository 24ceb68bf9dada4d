// A small YAML writer for showing a rule before it is written. The console
// prints and parses the real documents.

type Value = unknown;

export function yaml(value: Value, indent = 0): string {
  const pad = '  '.repeat(indent);
  if (Array.isArray(value)) {
    return value.map((v) => (flat(v) ? `${pad}- ${scalar(v)}\n` : `${pad}- ${yaml(v, indent + 1).slice(pad.length + 2)}`)).join('');
  }
  return Object.entries(value as Record<string, Value>)
    .filter(([, v]) => v !== undefined && v !== null)
    .map(([k, v]) => (flat(v) ? `${pad}${k}: ${scalar(v)}\n` : `${pad}${k}:\n${yaml(v, indent + 1)}`))
    .join('');
}

function flat(v: Value): boolean {
  return typeof v !== 'object' || v === null || Object.keys(v).length === 0;
}

function scalar(v: Value): string {
  if (Array.isArray(v)) return '[]';
  if (typeof v === 'object') return v === null ? 'null' : '{}';
  if (typeof v !== 'string') return String(v);
  const plain = /^-{0,2}[A-Za-z/_][\w./ -]*$/.test(v) && !/ $/.test(v) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(v);
  return plain ? v : JSON.stringify(v);
}

/** The policy document with its `disabled` line set; everything else stays as written. */
export function withDisabled(source: string, disabled: boolean): string {
  const block = /^spec:[^\S\n]*(#.*)?\n(?<indent>[^\S\n]+)\S/m.exec(source);
  const indent = block?.groups?.['indent'];
  if (!block || !indent) return source;
  const [head, body] = [source.slice(0, block.index), source.slice(block.index)];
  const line = new RegExp(`^${indent}disabled:.*\\n?`, 'm');
  if (line.test(body)) return head + body.replace(line, disabled ? `${indent}disabled: true\n` : '');
  return disabled ? head + body.replace(/\n/, `\n${indent}disabled: true\n`) : source;
}

/** The name in the document's metadata, if it has one. */
export function nameOf(source: string): string | undefined {
  const block = /^metadata:[^\S\n]*(\{.*\}|(#.*)?(\n([^\S\n].*)?)*)/m.exec(source)?.[0] ?? '';
  return /[\s{]name:\s*["']?([^"'#\s,}]+)/.exec(block)?.[1];
}
