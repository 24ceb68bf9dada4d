import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useMemo, useState } from 'react';
import type { ReactNode } from 'react';
import { keys } from './keys';
import { Stale } from './stale';
import type { StreamMessage } from './types';

export type Live = 'live' | 'paused' | 'offline';

const LiveContext = createContext<{ live: Live; pause: (p: boolean) => void }>({ live: 'offline', pause: () => {} });

/** Whether the page follows the console, and the switch for it. */
export const useLive = () => useContext(LiveContext);

const types = ['event', 'alert', 'incident', 'workload', 'profile', 'node', 'policy', 'missed'];
const slowest = 15_000; // between two tries to connect, ms

/** Follows the console's stream and fetches again what it says has changed. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [connected, setConnected] = useState(false);
  const [paused, pause] = useState(false);

  useEffect(() => {
    if (paused) return;
    let before = false;
    const refresh = refresher((part) => void client.invalidateQueries({ queryKey: [part] }));
    const close = listen({
      up: () => {
        setConnected(true);
        if (before) void client.invalidateQueries(); // what happened in between was not told
        before = true;
      },
      down: () => {
        setConnected(false);
        void client.invalidateQueries({ queryKey: keys.session }); // it may have ended
      },
      message: (m) => refresh.mark(m.type),
    });
    return () => {
      close();
      refresh.stop();
      setConnected(false);
    };
  }, [client, paused]);

  const value = useMemo(() => ({ live: paused ? 'paused' : connected ? 'live' : 'offline', pause }) as const, [paused, connected]);
  return <LiveContext value={value}>{children}</LiveContext>;
}

/** Runs a Stale on the real clock; a hidden page waits until it is looked at. */
function refresher(fetchAgain: (part: string) => void) {
  const stale = new Stale();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const turn = () => {
    timer = undefined;
    if (document.hidden) return;
    stale.take(Date.now()).forEach(fetchAgain);
    arm();
  };
  const arm = () => {
    const wait = stale.wait(Date.now());
    if (wait !== undefined && timer === undefined) timer = setTimeout(turn, wait);
  };
  document.addEventListener('visibilitychange', arm);
  return {
    mark: (type: string) => {
      stale.mark(type, Date.now());
      arm();
    },
    stop: () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', arm);
    },
  };
}

interface Listener { up: () => void; down: () => void; message: (m: StreamMessage) => void }

/** Opens the stream and opens it again, ever more slowly, until closed. */
function listen(to: Listener): () => void {
  let source: EventSource | undefined;
  let wait = 500;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const take = (e: MessageEvent<string>) => {
    try {
      to.message(JSON.parse(e.data) as StreamMessage);
    } catch {
      // A message that is no JSON says nothing about what has changed.
    }
  };
  const open = () => {
    source = new EventSource('/api/v1/stream');
    source.onopen = () => {
      wait = 500;
      to.up();
    };
    source.onmessage = take;
    for (const type of types) source.addEventListener(type, take);
    source.onerror = () => {
      source?.close();
      to.down();
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, slowest);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
