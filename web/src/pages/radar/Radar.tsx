import { PageSection, ToggleGroup, ToggleGroupItem } from '@patternfly/react-core';
import { useMemo, useSyncExternalStore } from 'react';
import { useRadar } from '../../api/hooks';
import { list } from '../../api/types';
import type { Radar as Data } from '../../api/types';
import { Answer } from '../../parts/Answer';
import { Choice, FilterBar, Search, useFilters } from '../../parts/filters';
import type { Filters } from '../../parts/filters';
import { Head } from '../../parts/Head';
import { Nothing } from '../../parts/Nothing';
import { Time } from '../../parts/Time';
import { plural } from '../../text/number';
import { found, layout, links } from './layout';
import type { Grouping } from './layout';
import { FunctionScene } from './FunctionScene';
import { Legend } from './Legend';
import { MapWindow } from './MapWindow';
import { RadarTable } from './RadarTable';
import { Side } from './Side';
import './radar.css';

export default function Radar() {
  const radar = useRadar();
  const filters = useFilters();
  return (
    <>
      <Head title="Radar">
        {radar.data && <>{plural(list(radar.data.nodes).length, 'node')}, {plural(list(radar.data.edges).length, 'connection')} · as of <Time at={radar.data.time} /></>}
      </Head>
      <PageSection isFilled className="rd-radar-page">
        <FilterBar end={
          <ToggleGroup aria-label="Show as">
            <ToggleGroupItem text="Map" buttonId="as-map" isSelected={filters.get('as') === ''} onChange={() => filters.set('as', '')} />
            <ToggleGroupItem text="Table" buttonId="as-table" isSelected={filters.get('as') === 'table'} onChange={() => filters.set('as', 'table')} />
            <ToggleGroupItem text="Functions" buttonId="as-functions" isSelected={filters.get('as') === 'functions'} onChange={() => filters.set('as', 'functions')} />
          </ToggleGroup>
        }>
          {filters.get('as') !== 'functions' && <Search filters={filters} placeholder="Search the map" />}
          {filters.get('as') !== 'functions' && <Choice filters={filters} name="group" label="By connection" options={{ image: 'By image', kind: 'By kind', state: 'By profile state' }} />}
          {filters.get('as') !== 'functions' && <Choice filters={filters} name="only" label="Everything" options={{ alerts: 'Only with open alerts', unusual: 'Only new or denied connections' }} />}
        </FilterBar>
        {filters.get('as') === 'functions' ? <FunctionScene /> : <Answer of={radar} act="Read the map">{(r) => <Scene of={r} filters={filters} />}</Answer>}
      </PageSection>
    </>
  );
}

function Scene({ of: r, filters }: { of: Data; filters: Filters }) {
  const by = (filters.get('group') || 'flow') as Grouping;
  const only = filters.get('only');
  const narrow = useNarrow();
  const drawn = useMemo(() => {
    const edges = links(list(r.nodes), list(r.edges)).filter((e) => only !== 'unusual' || e.novel || e.denied);
    const ends = new Set(edges.flatMap((e) => [e.from, e.to]));
    const nodes = list(r.nodes).filter((n) => (only === 'alerts' ? n.alerts > 0 : only === 'unusual' ? ends.has(n.id) : true));
    const kept = new Set(nodes.map((n) => n.id));
    const shown = edges.filter((e) => kept.has(e.from) && kept.has(e.to));
    return { nodes, links: shown, layout: layout(nodes, shown, by, narrow) };
  }, [r, by, only, narrow]);
  const text = filters.get('q');
  const matches = useMemo(() => (text ? new Set(drawn.nodes.filter((n) => found(n, text)).map((n) => n.id)) : undefined), [drawn, text]);
  const selected = filters.get('node');
  const select = (id: string) => filters.set('node', id);
  const node = drawn.nodes.find((n) => n.id === selected);

  if (drawn.nodes.length === 0) return <Nothing what="workloads on the map" filtered={only !== ''} />;
  if (filters.get('as') === 'table') return <RadarTable nodes={drawn.nodes.filter((n) => !matches || matches.has(n.id))} links={drawn.links} />;
  return (
    <div className="rd-radar">
      <div className="rd-radar-main">
        <MapWindow layout={drawn.layout} links={drawn.links} matches={matches} selected={node?.id ?? ''} select={select} by={`${by} ${only} ${narrow}`} />
        <Legend matches={matches?.size} />
      </div>
      {node && <Side node={node} nodes={drawn.nodes} links={drawn.links} select={select} />}
    </div>
  );
}

const narrowWindow = window.matchMedia('(max-width: 700px)');

function useNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      narrowWindow.addEventListener('change', changed);
      return () => narrowWindow.removeEventListener('change', changed);
    },
    () => narrowWindow.matches,
  );
}
