import { Button, PageSection } from '@patternfly/react-core';
import { useNavigate } from 'react-router';
import { url } from '../../api/client';
import { useAlerts } from '../../api/hooks';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { DownloadIcon } from '../../parts/icons';
import { More } from '../../parts/More';
import { Nothing } from '../../parts/Nothing';
import { severities, spans, statusChoice } from '../../parts/options';
import { AlertTable } from './AlertTable';
import type { AlertGrouping } from './group';

export default function Alerts() {
  const filters = useFilters();
  const navigate = useNavigate();
  const picked = filters.pick('q', 'severity', 'kind', 'workload', 'incident', 'since');
  const params = { ...picked, ...statusChoice(filters.get('status')) };
  const by = filters.get('group') as AlertGrouping;
  const alerts = useAlerts(by ? { ...params, limit: 500 } : params);
  return (
    <>
      <Head title="Alerts" actions={<Button variant="secondary" component="a" href={url('/alerts.csv', params)} download="alerts.csv" icon={<DownloadIcon />}>CSV</Button>}>
        What profile and policies found worth a person’s eye. Alike events are one alert; its count loses none.
      </Head>
      <PageSection isFilled>
        <FilterBar>
          <Search filters={filters} placeholder="Search alerts" />
          <Choice filters={filters} name="status" label="Status: open" options={['acknowledged', 'resolved', 'all']} />
          <Choice filters={filters} name="severity" label="Any severity" options={severities} />
          <Choice filters={filters} name="kind" label="Any kind" options={['exec', 'listen', 'connect', 'accept']} />
          <Choice filters={filters} name="since" label="Any time" options={spans} />
          <Choice filters={filters} name="group" label="Not grouped" options={{ rule: 'By rule', workload: 'By workload', technique: 'By technique' }} />
        </FilterBar>
        <Only filters={filters} names={['workload', 'incident']} />
        <Answer of={{ ...alerts, data: alerts.items }} act="List alerts">
          {(items) => items.length === 0 ? (
            <Nothing what={params.status === 'open' ? 'open alerts' : 'alerts'} filtered={Object.keys(picked).length > 0} actions={<Button variant="link" onClick={() => void navigate('/alerts?status=all')}>Show all alerts</Button>}>
              Nothing that is watched has left its profile or broken a policy.
            </Nothing>
          ) : (
            <>
              <AlertTable alerts={items} by={by} />
              <More of={alerts} />
            </>
          )}
        </Answer>
      </PageSection>
    </>
  );
}

/** Filters that come with a link and have no field of their own. */
function Only({ filters, names }: { filters: ReturnType<typeof useFilters>; names: string[] }) {
  const set = names.filter((n) => filters.get(n));
  if (set.length === 0) return null;
  return (
    <p className="rd-only">
      {set.map((n) => (
        <span key={n}>Only {n} <code className="rd-raw">{filters.get(n)}</code> <Button variant="link" isInline onClick={() => filters.set(n, '')}>show every {n}</Button></span>
      ))}
    </p>
  );
}
