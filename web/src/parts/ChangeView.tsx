import { CodeBlock, CodeBlockCode, Content } from '@patternfly/react-core';
import type { Change } from '../api/types';
import { allows } from '../text/entry';
import { escapeText } from '../text/escape';
import { yaml } from '../text/yaml';

/** Exactly what a change writes, in words and as the document has it. */
export function ChangeView({ of: c }: { of: Change }) {
  const document = c.entry ? bare(c) : c.rule;
  return (
    <div className="rd-stack">
      <Content>
        <p>{escapeText(c.text)}</p>
        {c.entry && <p>Added to the profile: <code className="rd-raw">{allows(c.entry)}</code></p>}
        {c.rule && <p>Put before the other rules of policy <code className="rd-raw">{escapeText(c.policy ?? '')}</code>:</p>}
      </Content>
      {document && <CodeBlock><CodeBlockCode>{escapeLines(yaml(document))}</CodeBlockCode></CodeBlock>}
    </div>
  );
}

/** The part of an entry that says what is allowed. */
function bare({ entry }: Change) {
  return { kind: entry?.kind, exec: entry?.exec, listen: entry?.listen, connect: entry?.connect, note: entry?.note };
}

const escapeLines = (text: string) => text.split('\n').map(escapeText).join('\n');
