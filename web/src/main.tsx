import '@patternfly/react-core/dist/styles/base.css';
import './app.css';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { ApiError } from './api/client';
import { keys } from './api/keys';
import { applyTheme, savedTheme } from './shell/theme';

applyTheme(savedTheme());

// A session that has ended shows as a refusal of whatever is asked next.
const loggedOut = (e: unknown) => {
  if (e instanceof ApiError && e.status === 401 && client.getQueryData(keys.session)) client.setQueryData(keys.session, null);
};

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: loggedOut }),
  mutationCache: new MutationCache({ onError: loggedOut }),
  defaultOptions: {
    queries: {
      staleTime: 5000,
      retry: (failures, e) => failures < 2 && !(e instanceof ApiError && e.status >= 400 && e.status < 500),
    },
  },
});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
