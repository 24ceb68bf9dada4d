import { useFunctionMap } from '../../api/functions';
import { list } from '../../api/types';
import { FlowMap } from '../../parts/flow/FlowMap';
import { Served } from '../../parts/Served';

/** Caller → route → function → what it touched, of all functions in the last day. */
export function FunctionScene() {
  const map = useFunctionMap();
  return (
    <Served of={map} act="Draw functions">
      {(m) => list(m.nodes).length === 0
        ? <p>No function is deployed.</p>
        : <FlowMap of={m} label="Callers, routes, functions and what they touch" />}
    </Served>
  );
}
