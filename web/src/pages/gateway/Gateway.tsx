import { Button, EmptyState, EmptyStateBody, Label, PageSection } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Route } from '../../api/functionTypes';
import { openAPIAddress, useDeleteRoute, useRoutes } from '../../api/gateway';
import { Ask } from '../../parts/Ask';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { DownloadIcon, RouteIcon, UploadIcon } from '../../parts/icons';
import { functionPath, routePath } from '../../parts/links';
import { useMay } from '../../parts/may';
import { More } from '../../parts/More';
import { Served } from '../../parts/Served';
import { escapeText } from '../../text/escape';
import { ImportOpenAPI } from './ImportOpenAPI';
import { AuthLabel, FirewallLabel } from './labels';
import { limitsText, targetText } from './source';

export default function Gateway() {
  const filters = useFilters();
  const navigate = useNavigate();
  const may = useMay('operator');
  const routes = useRoutes();
  const [importing, setImporting] = useState(false);
  const stages = [...new Set((routes.items ?? []).map((r) => r.stage || 'live'))].toSorted();
  const make = may && <Button onClick={() => void navigate('/gateway/+')}>New route</Button>;
  const shown = (items: Route[]) => items.filter((r) => fits(r, filters.get('q')) && (!filters.get('stage') || (r.stage || 'live') === filters.get('stage')) && (!filters.get('auth') || (r.auth || 'iam') === filters.get('auth')));
  return (
    <>
      <Head
        title="Gateway"
        actions={routes.items && (
          <>
            {make}
            {may && <Button variant="secondary" icon={<UploadIcon />} onClick={() => setImporting(true)}>Import OpenAPI</Button>}
            <Button variant="secondary" component="a" href={openAPIAddress(filters.get('stage'))} download="openapi.json" icon={<DownloadIcon />}>Export OpenAPI</Button>
          </>
        )}
      >
        Which request goes to which function. Each is authenticated, limited, filtered and authorized before code runs.
      </Head>
      <PageSection isFilled>
        <Served of={{ ...routes, data: routes.items }} act="List routes">
          {(items) => items.length === 0 ? <NoRoute>{make}</NoRoute> : (
            <>
              <FilterBar>
                <Search filters={filters} placeholder="Search routes" />
                <Choice filters={filters} name="stage" label="Any stage" options={stages} />
                <Choice filters={filters} name="auth" label="Any proof" options={{ iam: 'signature or token', key: 'API key', jwt: 'JWT', none: 'no proof' }} />
              </FilterBar>
              {shown(items).length === 0 ? <p className="rd-only">No route matches.</p> : <Rows items={shown(items)} />}
              <More of={routes} />
            </>
          )}
        </Served>
      </PageSection>
      {importing && <ImportOpenAPI close={() => setImporting(false)} />}
    </>
  );
}

const fits = (r: Route, text: string) => {
  const where = [r.id, r.description, r.host, r.method || 'any', r.path, targetText(r)].join(' ').toLowerCase();
  return text.toLowerCase().split(/\s+/).every((w) => where.includes(w));
};

function NoRoute({ children }: { children: React.ReactNode }) {
  return (
    <EmptyState titleText="There is no route" icon={RouteIcon} headingLevel="h2" variant="sm">
      <EmptyStateBody>
        <p>A function with an http trigger brings its own. Write one here for a canary, limits, another stage, or a target elsewhere: a URL or a function on AWS.</p>
        <p>Without a route, clients with a signature or token call <code className="rd-raw">POST /2015-03-31/functions/NAME/invocations</code>.</p>
        {children}
      </EmptyStateBody>
    </EmptyState>
  );
}

function Rows({ items }: { items: Route[] }) {
  const [deleting, setDeleting] = useState<Route>();
  const may = useMay('operator');
  return (
    <>
      <Table aria-label="Routes" variant="compact" gridBreakPoint="grid-lg">
        <Thead><Tr><Th width={25}>Request</Th><Th width={20}>Goes to</Th><Th>Proof</Th><Th>Firewall</Th><Th>Limits</Th><Th>Made by</Th>{may && <Th screenReaderText="Actions" />}</Tr></Thead>
        <Tbody>
          {items.map((r) => (
            <Tr key={r.id}>
              <Td dataLabel="Request" modifier="breakWord">
                <Link to={routePath(r.id)}><code className="rd-raw"><strong>{r.method || 'ANY'}</strong> {escapeText(`${r.host ?? ''}${r.path}`)}</code></Link>{' '}
                {r.stage && r.stage !== 'live' && <Label isCompact color="blue">{escapeText(r.stage)}</Label>}
                <div className="rd-sub">{escapeText(r.description || r.id)}</div>
              </Td>
              <Td dataLabel="Goes to" modifier="breakWord">{r.target.function ? <Link to={functionPath(r.target.function)}>{targetText(r)}</Link> : <code className="rd-raw">{escapeText(targetText(r))}</code>}</Td>
              <Td dataLabel="Proof"><AuthLabel of={r.auth} /></Td>
              <Td dataLabel="Firewall"><FirewallLabel of={r.firewall?.mode} /></Td>
              <Td dataLabel="Limits">{limitsText(r) || '–'}</Td>
              <Td dataLabel="Made by">{r.owner ? <>trigger of {r.owner}</> : 'a person'}</Td>
              {may && <Td>{!r.owner && <Button variant="link" isInline isDanger onClick={() => setDeleting(r)} aria-label={`Delete ${r.id}`}>Delete</Button>}</Td>}
            </Tr>
          ))}
        </Tbody>
      </Table>
      {deleting && <DeleteRoute id={deleting.id} close={() => setDeleting(undefined)} />}
    </>
  );
}

export function DeleteRoute({ id, close, done }: { id: string; close: () => void; done?: () => void }) {
  return (
    <Ask title={`Delete ${id}`} yes="Delete" danger change={useDeleteRoute()} arg={() => id} close={close} {...(done && { done })}>
      <p>From now on such requests are answered 404, or go to another route that fits. The function stays and can be called by its name.</p>
    </Ask>
  );
}
