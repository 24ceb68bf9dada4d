/** Items by what `of` says of them, in the order in which they come. */
export function groupBy<K, T>(items: readonly T[], of: (item: T) => K): Map<K, T[]> {
  const found = new Map<K, T[]>();
  for (const item of items) {
    const key = of(item);
    const group = found.get(key);
    if (group) group.push(item);
    else found.set(key, [item]);
  }
  return found;
}
