import type { ReactNode } from 'react';
import { exact } from '../text/time';

export function Timestamp({ ms, children }: { ms: number; children: ReactNode }) {
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms)} className="rd-time">
      {children}
    </time>
  );
}
