import { useEffect, useState } from 'react';
import { followLines } from '../../api/functions';
import type { LogLine } from '../../api/functionTypes';
import { list } from '../../api/types';

const pause = 1500; // ms between two looks
const most = 2000; // lines kept in the page

/** Lines printed since this began, oldest first; the oldest of very many are dropped. */
export function useFollow(name: string, on: boolean): { lines: LogLine[]; error: unknown } {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    if (!on) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let after = -1;
    const look = async () => {
      try {
        if (!document.hidden) {
          const got = await followLines(name, after, stop.signal);
          const fresh = after < 0 ? [] : list(got.items);
          after = got.last;
          setError(null);
          if (fresh.length > 0) setLines((before) => [...before, ...fresh].slice(-most));
        }
      } catch (e) {
        if (stop.signal.aborted) return;
        setError(e);
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void look(), pause);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [name, on]);
  return { lines, error };
}
