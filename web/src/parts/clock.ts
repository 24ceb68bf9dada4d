import { useSyncExternalStore } from 'react';

// One ticking clock for the whole page; a reader draws itself again only when
// the text it makes of the time has changed.
const readers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(reader: () => void) {
  readers.add(reader);
  timer ??= setInterval(() => readers.forEach((r) => r()), 1000);
  return () => {
    readers.delete(reader);
    if (readers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function useText(of: (now: number) => string): string {
  return useSyncExternalStore(subscribe, () => of(Date.now()));
}
