import { Link } from 'react-router';
import { list } from '../../api/types';
import type { Overview, State } from '../../api/types';
import { covered, CoverageBar } from '../../parts/Coverage';
import { StateLabel } from '../../parts/labels';
import { WorkloadLink } from '../../parts/links';
import { Panel } from '../../parts/Panel';
import { count } from '../../text/number';

const order: State[] = ['learning', 'observing', 'enforcing', 'archived'];

/** Profiles by state, and those that have most left to learn. */
export function Learning({ of: o }: { of: Overview }) {
  const learning = list(o.learning);
  return (
    <Panel title="Profiles" actions={<Link to="/workloads">All workloads</Link>}>
      <p className="rd-row-labels">
        {order.filter((s) => o.states?.[s]).map((s) => (
          <Link key={s} to={`/workloads?state=${s}`} className="rd-plain">{count(o.states?.[s] ?? 0)} <StateLabel of={s} /></Link>
        ))}
        {!order.some((s) => o.states?.[s]) && 'No profile yet: one starts with the first process of each workload.'}
      </p>
      {learning.length > 0 && <h3 className="rd-h3">Most left to learn</h3>}
      <div className="rd-list">
        {learning.slice(0, 6).map((p) => (
          <div key={p.id} className="rd-row">
            <div className="rd-spread"><WorkloadLink of={p.workload} instance={p.id} /><span className="rd-sub">{covered(p.coverage)}</span></div>
            <CoverageBar of={p.coverage} label={`Coverage of ${p.workload.name}`} />
          </div>
        ))}
      </div>
    </Panel>
  );
}
