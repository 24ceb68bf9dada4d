import { Button } from '@patternfly/react-core';
import { useId, useRef } from 'react';
import type { Problem } from '../api/types';
import { ExclamationTriangleIcon } from './icons';
import { escapeText } from '../text/escape';

interface Props { label: string; source: string; set: (s: string) => void; problems: Problem[]; readOnly?: boolean; least?: number }

/** A text area with line numbers, on which lines with problems are marked. */
export function Editor({ label, source, set, problems, readOnly = false, least = 16 }: Props) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = source.split('\n');
  const rows = Math.max(least, lines.length + 1);
  const bad = new Set(problems.map((p) => p.line));
  const go = (line: number) => {
    const start = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
    area.current?.focus();
    area.current?.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  };
  return (
    <section aria-label="Document" className="rd-stack">
      <div className="rd-editor">
        <div className="rd-gutter" aria-hidden="true">
          {Array.from({ length: rows }, (_, i) => <div key={i} className={bad.has(i + 1) ? 'rd-bad-line' : undefined}>{bad.has(i + 1) ? '✕ ' : ''}{i + 1}</div>)}
        </div>
        <textarea
          ref={area}
          aria-label={label}
          aria-invalid={problems.length > 0}
          aria-describedby={`${id}-problems`}
          value={source}
          rows={rows}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          readOnly={readOnly}
          onChange={(e) => set(e.target.value)}
        />
      </div>
      <div id={`${id}-problems`} role="status">
        {problems.length === 0 ? <p className="rd-sub">No problem found.</p> : (
          <ul className="rd-signs">
            {problems.map((p, i) => (
              <li key={i}>
                <ExclamationTriangleIcon className="rd-bad" />
                <span><Button variant="link" isInline onClick={() => go(p.line)}>line {p.line}{p.column ? `, column ${p.column}` : ''}</Button>: {escapeText(p.message)}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
