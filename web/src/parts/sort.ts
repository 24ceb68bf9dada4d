/** "-calls" is by calls, downwards. */
export function sortOf(text: string): [name: string, down: boolean] {
  return text.startsWith('-') ? [text.slice(1), true] : [text, false];
}
