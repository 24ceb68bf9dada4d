import { Button, PageSection } from '@patternfly/react-core';
import { useState } from 'react';
import { useForgetNode, useNodes } from '../../api/hooks';
import type { NodeStatus } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Ask } from '../../parts/Ask';
import { Head } from '../../parts/Head';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { AddNode } from './AddNode';
import { NodeCard } from './NodeCard';

export default function Nodes() {
  const nodes = useNodes();
  const may = useMay('admin');
  const [adding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<NodeStatus>();
  const forget = useForgetNode();
  return (
    <>
      <Head title="Nodes" actions={may && <Button onClick={() => setAdding(true)}>Add a node</Button>}>
        The machines that are protected: what each one’s defender sees, cannot see, costs and has lost.
      </Head>
      <PageSection isFilled>
        <Answer of={{ ...nodes, data: nodes.items }} act="List nodes">
          {(items) => (
            <div className="rd-stack">
              {items.length === 0 && <p className="rd-only">No node has enrolled: nothing is observed at all. Add one, or start <code className="rd-raw">redoubt up</code> on this machine.</p>}
              {items.map((n) => <NodeCard key={n.id} of={n} forget={may ? setLeaving : undefined} />)}
              {items.length > 0 && <More of={nodes} />}
            </div>
          )}
        </Answer>
      </PageSection>
      {adding && <AddNode close={() => setAdding(false)} />}
      {leaving && (
        <Ask title={`Forget ${leaving.id}`} yes="Forget" danger change={forget} arg={() => leaving.id} close={() => setLeaving(undefined)}>
          <p>Its certificate is no longer accepted, so a defender that still runs there keeps protecting that machine with what it has but cannot report. What it reported stays. To come back it has to enrol with a new join command.</p>
        </Ask>
      )}
    </>
  );
}
