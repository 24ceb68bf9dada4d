export type Piece = [sign: ' ' | '-' | '+', text: string];

const limit = 2000; // lines; longer documents are shown as replaced whole

/** Lines of two documents, told apart: kept, gone, new (longest common subsequence). */
export function diff(before: string, after: string): Piece[] {
  const [a, b] = [split(before), split(after)];
  if (a.length > limit || b.length > limit) return [...a.map((l): Piece => ['-', l]), ...b.map((l): Piece => ['+', l])];
  const same = lengths(a, b);
  const out: Piece[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push([' ', a[i]!]);
      i++;
      j++;
    } else if (i < a.length && (j === b.length || same[i + 1]![j]! >= same[i]![j + 1]!)) out.push(['-', a[i++]!]);
    else out.push(['+', b[j++]!]);
  }
  return out;
}

const split = (text: string) => (text === '' ? [] : text.split('\n'));

/** For each pair of positions, how many lines the rests have in common. */
function lengths(a: string[], b: string[]): Uint16Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i]![j] = a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

/** JSON on many lines; text that is no JSON as it is. */
export function pretty(text: string | undefined): string {
  if (!text) return '';
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Kept lines far from any change folded into one line that says how many. */
export function fold(pieces: readonly Piece[], around = 3): (Piece | number)[] {
  const near = pieces.map((_, i) => pieces.slice(Math.max(0, i - around), i + around + 1).some(([sign]) => sign !== ' '));
  const out: (Piece | number)[] = [];
  pieces.forEach((p, i) => {
    const last = out.at(-1);
    if (near[i]) out.push(p);
    else if (typeof last === 'number') out[out.length - 1] = last + 1;
    else out.push(1);
  });
  return out;
}
