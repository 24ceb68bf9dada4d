import type { Ref } from 'react';
import { Timestamp } from '../../parts/Timestamp';
import type { LogLine } from '../../api/functionTypes';
import { escapeText } from '../../text/escape';
import { clock, parseTime } from '../../text/time';

/** Lines a function printed, oldest first. What it prints is shown, never obeyed. */
export function LogText({ lines, label, at, open }: { lines: readonly LogLine[]; label: string; at?: Ref<HTMLDivElement>; open?: ((invocation: string) => void) | undefined }) {
  return (
    <div ref={at} className="rd-log" role="log" aria-live="off" tabIndex={0} aria-label={label}>
      {lines.map((l, i) => {
        const ms = parseTime(l.time) ?? 0;
        const time = <Timestamp ms={ms}>{clock(ms)}</Timestamp>;
        return (
          <div key={i} className="rd-log-line">
            <span className="rd-log-time">{open && l.invocation ? <button type="button" className="rd-log-open" title={`Open invocation ${l.invocation}`} onClick={() => open(l.invocation!)}>{time}</button> : time}</span>
            <span>{l.text.split('\n').map(escapeText).join('\n')}</span>
          </div>
        );
      })}
    </div>
  );
}
