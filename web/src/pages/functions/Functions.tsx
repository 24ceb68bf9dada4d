import { Alert, Button, PageSection } from '@patternfly/react-core';
import { useNavigate } from 'react-router';
import { useEnvironments, useFunctions, useUsage } from '../../api/functions';
import type { Environments } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { More } from '../../parts/More';
import { Served } from '../../parts/Served';
import { plural } from '../../text/number';
import { Findings } from './Findings';
import { FunctionTable } from './FunctionTable';
import { only, ordered } from './order';
import { NoneFound, Teach } from './Teach';

export default function Functions() {
  const filters = useFilters();
  const navigate = useNavigate();
  const picked = filters.pick('q', 'state');
  const functions = useFunctions({ ...picked, limit: 200 });
  const usage = useUsage({ since: '24h', by: 'hour' }, !functions.error);
  const environments = useEnvironments();
  const narrowed = filters.get('only');
  return (
    <>
      <Head title="Functions">
        {functions.items && <>{plural(functions.items.length, 'function')}{functions.hasNextPage ? ' and more' : ''} · code that runs in isolated sandboxes, each held to its role and to what was learned of it</>}
      </Head>
      <PageSection isFilled>
        <Served of={{ ...functions, data: functions.items }} act="List functions">
          {(items) => {
            if (items.length === 0 && Object.keys(picked).length === 0) return <div className="rd-stack"><Off of={environments.data} /><Teach /></div>;
            const shown = ordered(only(items, narrowed), filters.get('sort'));
            return (
              <div className="rd-stack">
                <Off of={environments.data} />
                <Findings />
                <div>
                  <FilterBar>
                    <Search filters={filters} placeholder="Search functions" />
                    <Choice filters={filters} name="state" label="Active or not" options={['active', 'disabled']} />
                    <Choice filters={filters} name="only" label="All of them" options={{ risks: 'Only with risks', errors: 'Only failing of late', unused: 'Only never run' }} />
                  </FilterBar>
                  {shown.length === 0
                    ? <NoneFound clear={<Button variant="link" onClick={() => void navigate('/functions')}>Clear filters</Button>} />
                    : <FunctionTable functions={shown} usage={list(usage.data?.items)} until={usage.data?.until} filters={filters} />}
                  <More of={functions} />
                </div>
              </div>
            );
          }}
        </Served>
      </PageSection>
    </>
  );
}

/** What this machine cannot do for functions. */
function Off({ of: e }: { of: Environments | undefined }) {
  const gaps = list(e?.gaps);
  return (
    <>
      {e?.off && <Alert isInline variant="danger" title="No function runs on this machine">{e.off}</Alert>}
      {gaps.length > 0 && (
        <Alert isInline isExpandable variant="warning" title={`${plural(gaps.length, 'protection')} cannot be enforced on functions here`}>
          <ul className="rd-bullets">{gaps.map((g) => <li key={g}>{g}</li>)}</ul>
        </Alert>
      )}
    </>
  );
}
