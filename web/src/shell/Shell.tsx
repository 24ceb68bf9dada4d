import {
  Button, Masthead, MastheadBrand, MastheadContent, MastheadLogo, MastheadMain, MastheadToggle, Nav, NavGroup, NavItem, NavList,
  Page, PageSidebar, PageSidebarBody, PageToggleButton, SkipToContent, Spinner,
} from '@patternfly/react-core';
import { Suspense, useCallback, useState } from 'react';
import { Link, Outlet, useLocation } from 'react-router';
import { AdjustIcon, BarsIcon, MoonIcon, OutlinedQuestionCircleIcon, SunIcon } from '../parts/icons';
import { Crash } from './Crash';
import { Help } from './Help';
import { LiveBadge } from './LiveBadge';
import { grouped, places } from './places';
import type { Place } from './places';
import { useTheme } from './theme';
import { useShortcuts } from './useShortcuts';
import { UserMenu } from './UserMenu';

/** What is around every page: masthead, navigation, keys, help. */
export function Shell() {
  const [helping, setHelping] = useState(false);
  const help = useCallback(() => setHelping(true), []);
  useShortcuts(help);
  const { pathname } = useLocation();
  return (
    <Page
      masthead={<Top help={help} />}
      sidebar={<Side />}
      isManagedSidebar
      mainContainerId="main"
      mainAriaLabel="Page"
      mainTabIndex={-1}
      skipToContent={<SkipToContent href="#main" onClick={skip}>Skip to content</SkipToContent>}
    >
      <Crash key={pathname}>
        <Suspense fallback={<div className="rd-wait"><Spinner aria-label="Loading the page…" /></div>}>
          <Outlet />
        </Suspense>
      </Crash>
      {helping && <Help close={() => setHelping(false)} />}
    </Page>
  );
}

function skip(e: React.MouseEvent) {
  e.preventDefault();
  document.getElementById('main')?.focus();
}

const themeIcons = { system: <AdjustIcon />, light: <SunIcon />, dark: <MoonIcon /> };

function Top({ help }: { help: () => void }) {
  const [theme, next] = useTheme();
  return (
    <Masthead className="rd-masthead" display={{ default: 'inline' }}>
      <MastheadMain>
        <MastheadToggle>
          <PageToggleButton variant="plain" aria-label="Navigation"><BarsIcon /></PageToggleButton>
        </MastheadToggle>
        <MastheadBrand>
          <MastheadLogo component={(props: object) => <Link {...props} to="/" aria-label="Redoubt, to the overview" />}>
            <img src="/redoubt.svg" alt="" width={28} height={28} />
            <span className="rd-brand">Redoubt</span>
          </MastheadLogo>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <div className="rd-top">
          <LiveBadge />
          <Button variant="plain" icon={themeIcons[theme]} aria-label={`Theme: ${theme}. Press to change.`} title={`Theme: ${theme}`} onClick={next} />
          <Button variant="plain" className="rd-keyboard" icon={<OutlinedQuestionCircleIcon />} aria-label="Keys and help" title="Keys (?)" onClick={help} />
          <UserMenu />
        </div>
      </MastheadContent>
    </Masthead>
  );
}

function Side() {
  const { pathname } = useLocation();
  const at = (path: string) => (path === '/' ? pathname === '/' : pathname === path || pathname.startsWith(`${path}/`));
  const item = (p: Place) => (
    <NavItem key={p.path} isActive={at(p.path)}>
      <Link to={p.path} aria-current={at(p.path) ? 'page' : undefined}>{p.name}</Link>
    </NavItem>
  );
  return (
    <PageSidebar>
      <PageSidebarBody>
        <Nav aria-label="Pages">
          {grouped(places).map((g) =>
            g.group ? <NavGroup key={g.group} title={g.group}>{g.places.map(item)}</NavGroup> : <NavList key={g.places[0]!.path}>{g.places.map(item)}</NavList>)}
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  );
}
