import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import type { Environment, FnDetail } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Facts } from '../../parts/Facts';
import { ExclamationTriangleIcon } from '../../parts/icons';
import { Panel } from '../../parts/Panel';
import { Raw } from '../../parts/Raw';
import { Time } from '../../parts/Time';
import { escapeText } from '../../text/escape';
import { bytes, count, plural } from '../../text/number';
import { Findings } from '../functions/Findings';
import { Picture } from './Picture';
import { Shares } from './Shares';
import { Traffic } from './Traffic';

/** What the function is, how it is used, and what to look at. */
export function Overview({ of: f }: { of: FnDetail }) {
  return (
    <div className="rd-stack">
      <Risks of={f} />
      <Findings name={f.id} />
      <Traffic of={f} />
      <div className="rd-two">
        <Live of={f} />
        <Hosted of={f} />
      </div>
      <Picture name={f.id} />
    </div>
  );
}

function Risks({ of: f }: { of: FnDetail }) {
  const risks = list(f.risks);
  if (risks.length === 0) return null;
  return (
    <Panel title={`${plural(risks.length, 'thing')} to look at`}>
      <ul className="rd-signs">
        {risks.map((r) => <li key={r}><ExclamationTriangleIcon className="rd-warn" /> <span>{escapeText(r)}</span></li>)}
      </ul>
    </Panel>
  );
}

function Live({ of: f }: { of: FnDetail }) {
  const version = list(f.record.versions).find((v) => v.number === f.version);
  const spec = version?.spec;
  return (
    <Panel title="Live">
      <div className="rd-stack">
        <Shares of={list(f.live)} label="Shares of the calls of live" />
        <Facts of={[
          ['Handler', spec?.handler && <Raw text={spec.handler} />],
          ['Memory', spec?.memory && `${count(spec.memory)} MiB`],
          ['Time limit', spec?.timeout && `${count(spec.timeout)} s`],
          ['Room in /tmp', spec?.tmp && `${count(spec.tmp)} MiB`],
          ['At once at most', spec?.concurrency?.max && plural(spec.concurrency.max, 'environment')],
          ['Kept ready', spec?.concurrency?.warm && plural(spec.concurrency.warm, 'environment')],
          ['Answers', spec?.streaming && 'streamed as they come'],
          ['Tenants', spec?.per_tenant && 'never share an environment'],
          ['Deployed', version && <><Time at={version.created} /> by {escapeText(version.by)}</>],
          ['Code', version && <span title={version.code.digest}>{bytes(version.code.unpacked)} in {plural(version.code.files, 'file')}</span>],
          ['Triggers', list(f.triggers).length > 0 && <ul className="rd-bullets">{list(f.triggers).map((t) => <li key={t}><Raw text={t} /></li>)}</ul>],
          ['Environment', spec?.env && Object.keys(spec.env).length > 0 && <Raw text={Object.keys(spec.env).join(', ')} />],
          ['Labels', f.labels && Object.keys(f.labels).length > 0 && <Raw text={Object.entries(f.labels).map(([k, v]) => `${k}=${v}`).join(', ')} />],
        ]} />
      </div>
    </Panel>
  );
}

function Hosted({ of: f }: { of: FnDetail }) {
  const hosted = list(f.hosted);
  const busy = hosted.filter((e) => e.state === 'busy').length;
  return (
    <Panel title="Environments now">
      {hosted.length === 0 ? <p>None: it has scaled down to zero. The next call starts one.</p> : (
        <>
          <p>{plural(hosted.length, 'environment')}, {busy} of them busy.</p>
          <Table aria-label="Environments" variant="compact" gridBreakPoint="grid-md" className="rd-tight">
            <Thead><Tr><Th>State</Th><Th>Version</Th><Th>Since</Th><Th>Calls</Th><Th>Memory</Th></Tr></Thead>
            <Tbody>{hosted.slice(0, 50).map((e) => <Row key={`${e.pid} ${e.since}`} of={e} />)}</Tbody>
          </Table>
          {hosted.length > 50 && <p className="rd-sub">50 of {count(hosted.length)} are listed.</p>}
        </>
      )}
    </Panel>
  );
}

function Row({ of: e }: { of: Environment }) {
  return (
    <Tr>
      <Td dataLabel="State">{e.state}{e.tenant && <span className="rd-sub"> for {escapeText(e.tenant)}</span>}</Td>
      <Td dataLabel="Version">{e.version}</Td>
      <Td dataLabel="Since"><Time at={e.since} /></Td>
      <Td dataLabel="Calls">{count(e.calls)}</Td>
      <Td dataLabel="Memory">{bytes(e.memory)}</Td>
    </Tr>
  );
}
