import { ClipboardCopy, EmptyState, EmptyStateBody } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { CodeIcon, SearchIcon } from '../../parts/icons';

const steps: [does: string, command: string][] = [
  ['Deploy a folder with code. Each deployment makes a version; live points to the newest.', 'redoubt function deploy hello --runtime nodejs --handler index.handler ./hello'],
  ['Call it, and see its answer.', `redoubt function invoke hello --data '{"name": "you"}'`],
  ['Or take over what you have: AWS SAM, serverless.yml and OpenFaaS stack.yml.', 'redoubt function deploy template.yaml'],
];

/** The first thing somebody without functions reads. */
export function Teach() {
  return (
    <EmptyState titleText="No function is deployed" icon={CodeIcon} headingLevel="h2">
      <EmptyStateBody>
        <p>Bundles written for AWS Lambda run unchanged: Node.js, Python, Java, .NET, a static binary or a container image. Each call runs in a sandbox without network, until its role grants some. Protection is on from the first call, without a layer or a change of code.</p>
        <ol className="rd-steps">
          {steps.map(([does, command]) => (
            <li key={command}>
              <p>{does}</p>
              <ClipboardCopy isReadOnly hoverTip="Copy" clickTip="Copied" textAriaLabel={does}>{command}</ClipboardCopy>
            </li>
          ))}
        </ol>
        <p>More runtimes, roles and triggers: <code className="rd-raw">redoubt function deploy --help</code></p>
      </EmptyStateBody>
    </EmptyState>
  );
}

export function NoneFound({ clear }: { clear: ReactNode }) {
  return (
    <EmptyState titleText="No functions match" icon={SearchIcon} headingLevel="h2" variant="sm">
      <EmptyStateBody>Nothing fits this search and these filters. {clear}</EmptyStateBody>
    </EmptyState>
  );
}
