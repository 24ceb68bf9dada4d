/** Why a text is no JSON, and where; undefined if it is. */
export function jsonProblem(text: string): { line: number; column?: number; message: string } | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (e) {
    const said = e instanceof Error ? e.message : String(e);
    const offset = Number(/position (\d+)/.exec(said)?.[1] ?? text.length);
    const before = text.slice(0, offset).split('\n');
    const message = said.replace(/ in JSON.*$| \(line .*$|, "?[^]*is not valid JSON$/, '');
    return { line: before.length, column: before.at(-1)!.length + 1, message: `This is no JSON: ${message}` };
  }
}
