import { list } from '../../api/types';
import type { Workload } from '../../api/types';
import { covered, CoverageBar, Missing } from '../../parts/Coverage';
import { Facts } from '../../parts/Facts';
import { stateMeaning, StateLabel } from '../../parts/labels';
import { Panel } from '../../parts/Panel';
import { Command, Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { count, percent } from '../../text/number';

/** What the workload is and how well it is known. */
export function Summary({ of: w }: { of: Workload }) {
  return (
    <div className="rd-two">
      <Known of={w} />
      <Panel title="Instance">
        <Facts columns="1Col" of={[
          ['Kind', w.kind],
          ['Image', w.image && <Raw text={w.image} />],
          ['Digest', w.digest && <Raw text={w.digest} max={32} />],
          ['Container', w.container && <Raw text={w.container} max={24} />],
          ['Node', w.node],
          ['Started', <Time at={w.started} />],
          ['Command', list(w.entrypoint).length + list(w.command).length > 0 && <Command args={[...list(w.entrypoint), ...list(w.command)]} />],
          ['Health check', list(w.health).length > 0 && <Command args={list(w.health)} />],
          ['Addresses', list(w.addresses).join(', ')],
          ['Declared ports', list(w.exposes).map((p) => `${p.port}/${p.proto}`).join(', ')],
          ['Labels', w.labels && Object.keys(w.labels).length > 0 && <Labels of={w.labels} />],
        ]} />
      </Panel>
    </div>
  );
}

function Known({ of: w }: { of: Workload }) {
  const p = w.profile;
  if (!p.state) {
    return <Panel title="Profile"><p>No profile yet: it starts with the first process that is seen.</p></Panel>;
  }
  return (
    <Panel title="Profile">
      <div className="rd-stack">
        <p><StateLabel of={p.state} /> since <Time at={p.since} />. {stateMeaning[p.state]}</p>
        <div>
          <p className="rd-big">{covered(p.coverage)}</p>
          <CoverageBar of={p.coverage} label={`Coverage of ${w.name}`} />
          {p.coverage.units > 0 && <p className="rd-sub">With 95 % confidence at least {percent(p.coverage.lower)}{p.state === 'learning' ? '; learning ends at 95 %' : ''}.</p>}
        </div>
        <Missing of={p.coverage} />
        <Facts of={[
          ['Entries', count(p.entries)],
          ['Revision', `${p.revision}`],
          ['Last change', <Time at={p.time} />],
          ['Image versions seen', list(p.versions).length > 0 && (
            <ul className="rd-bullets">{list(p.versions).map((v) => <li key={v.digest}>{escapeText(v.image)} <span className="rd-sub" title={v.digest}>{v.digest.replace(/^\w+:/, '').slice(0, 12)}, <Time at={v.since} /></span></li>)}</ul>
          )],
        ]} />
      </div>
    </Panel>
  );
}

function Labels({ of: labels }: { of: Record<string, string> }) {
  return <ul className="rd-bullets">{Object.entries(labels).map(([k, v]) => <li key={k}><Raw text={`${k}=${v}`} max={80} /></li>)}</ul>;
}
