import { Button } from '@patternfly/react-core';
import { useRef } from 'react';
import type { Problem } from '../../api/types';
import { ExclamationTriangleIcon } from '../../parts/icons';
import { escapeText } from '../../text/escape';

interface Props { source: string; set: (s: string) => void; problems: Problem[]; readOnly: boolean }

/** A text area with line numbers, on which lines with problems are marked. */
export function Editor({ source, set, problems, readOnly }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = source.split('\n');
  const rows = Math.max(16, lines.length + 1);
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
          aria-label="Policy as YAML"
          aria-invalid={problems.length > 0}
          aria-describedby="problems"
          value={source}
          rows={rows}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          readOnly={readOnly}
          onChange={(e) => set(e.target.value)}
        />
      </div>
      <div id="problems" role="status">
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
