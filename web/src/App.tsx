import { lazy, Suspense } from 'react';
import { BrowserRouter, Route, Routes } from 'react-router';
import { NoSuchPage } from './parts/Answer';
import { Gate } from './shell/Gate';
import { Shell } from './shell/Shell';

// One bundle a page, fetched when it is opened.
const Setup = lazy(() => import('./pages/door/Setup'));
const Login = lazy(() => import('./pages/door/Login'));
const Overview = lazy(() => import('./pages/overview/Overview'));
const Radar = lazy(() => import('./pages/radar/Radar'));
const Workloads = lazy(() => import('./pages/workloads/Workloads'));
const Workload = lazy(() => import('./pages/workload/Workload'));
const Alerts = lazy(() => import('./pages/alerts/Alerts'));
const Alert = lazy(() => import('./pages/alerts/Alert'));
const Incidents = lazy(() => import('./pages/incidents/Incidents'));
const Incident = lazy(() => import('./pages/incidents/Incident'));
const Events = lazy(() => import('./pages/events/Events'));
const Event = lazy(() => import('./pages/events/Event'));
const Policies = lazy(() => import('./pages/policies/Policies'));
const Policy = lazy(() => import('./pages/policies/Policy'));
const Functions = lazy(() => import('./pages/functions/Functions'));
const Function = lazy(() => import('./pages/function/Function'));
const Gateway = lazy(() => import('./pages/gateway/Gateway'));
const GatewayRoute = lazy(() => import('./pages/gateway/Route'));
const Callers = lazy(() => import('./pages/callers/Callers'));
const AccessPolicy = lazy(() => import('./pages/callers/AccessPolicy'));
const Nodes = lazy(() => import('./pages/nodes/Nodes'));
const Access = lazy(() => import('./pages/access/Access'));
const Audit = lazy(() => import('./pages/audit/Audit'));

export function App() {
  return (
    <BrowserRouter>
      <Suspense fallback={null}>
        <Routes>
          <Route path="/setup" element={<Setup />} />
          <Route path="/login" element={<Login />} />
          <Route element={<Gate />}>
            <Route element={<Shell />}>
              <Route index element={<Overview />} />
              <Route path="radar" element={<Radar />} />
              <Route path="workloads" element={<Workloads />} />
              <Route path="workloads/:instance" element={<Workload />} />
              <Route path="alerts" element={<Alerts />} />
              <Route path="alerts/:id" element={<Alert />} />
              <Route path="incidents" element={<Incidents />} />
              <Route path="incidents/:id" element={<Incident />} />
              <Route path="events" element={<Events />} />
              <Route path="events/:id" element={<Event />} />
              <Route path="policies" element={<Policies />} />
              <Route path="policies/:name" element={<Policy />} />
              <Route path="functions" element={<Functions />} />
              <Route path="functions/:name" element={<Function />} />
              <Route path="gateway" element={<Gateway />} />
              <Route path="gateway/:id" element={<GatewayRoute />} />
              <Route path="callers" element={<Callers />} />
              <Route path="callers/policies/:name" element={<AccessPolicy />} />
              <Route path="nodes" element={<Nodes />} />
              <Route path="access" element={<Access />} />
              <Route path="audit" element={<Audit />} />
              <Route path="*" element={<NoSuchPage />} />
            </Route>
          </Route>
        </Routes>
      </Suspense>
    </BrowserRouter>
  );
}
