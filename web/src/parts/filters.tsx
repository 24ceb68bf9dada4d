import { FormSelect, FormSelectOption, SearchInput, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core';
import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';

/** The filters of a page live in its address, so that it can be passed on. */
export function useFilters() {
  const [search, setSearch] = useSearchParams();
  return {
    get: (name: string) => search.get(name) ?? '',
    set: (name: string, value: string) =>
      setSearch((before) => {
        const after = new URLSearchParams(before);
        if (value) after.set(name, value);
        else after.delete(name);
        return after;
      }, { replace: true }),
    unset: (...names: string[]) =>
      setSearch((before) => {
        const after = new URLSearchParams(before);
        for (const name of names) after.delete(name);
        return after;
      }, { replace: true }),
    /** Sets one and forgets all others, as another view has others. */
    only: (name: string, value: string) => setSearch(value ? { [name]: value } : {}, { replace: true }),
    /** Those of the names that are set. */
    pick: (...names: string[]) =>
      Object.fromEntries(names.map((n) => [n, search.get(n) ?? '']).filter(([, v]) => v)) as Record<string, string>,
  };
}

export type Filters = ReturnType<typeof useFilters>;

/** The search field of a page; "/" goes there. */
export function Search({ filters, placeholder, name = 'q' }: { filters: Filters; placeholder: string; name?: string }) {
  const current = filters.get(name);
  const [text, setText] = useState(current);
  const sent = useRef(current);
  useEffect(() => {
    if (current === sent.current) return;
    sent.current = current;
    setText(current);
  }, [current]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      filters.set(name, text);
    }, 250);
    return () => clearTimeout(timer);
  });
  return (
    <SearchInput
      data-search
      aria-label={placeholder}
      placeholder={placeholder}
      value={text}
      onChange={(_, value) => setText(value)}
      onClear={() => setText('')}
    />
  );
}

/** One choice of a few; the first is no filter. */
export function Choice({ filters, name, label, options }: { filters: Filters; name: string; label: string; options: readonly string[] | Record<string, string> }) {
  const entries = Array.isArray(options) ? options.map((o: string) => [o, o] as const) : Object.entries(options as Record<string, string>);
  return (
    <FormSelect aria-label={label} value={filters.get(name)} onChange={(_, value) => filters.set(name, value)} className="rd-choice">
      <FormSelectOption value="" label={label} />
      {entries.map(([value, text]) => <FormSelectOption key={value} value={value} label={text} />)}
    </FormSelect>
  );
}

export function FilterBar({ children, end }: { children: ReactNode[]; end?: ReactNode }) {
  return (
    <Toolbar className="rd-filters" aria-label="Filters">
      <ToolbarContent>
        {children.map((c, i) => c && <ToolbarItem key={i}>{c}</ToolbarItem>)}
        {end && <ToolbarItem align={{ default: 'alignEnd' }}>{end}</ToolbarItem>}
      </ToolbarContent>
    </Toolbar>
  );
}
