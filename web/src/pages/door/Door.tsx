import { Card, CardBody, CardTitle } from '@patternfly/react-core';
import { useEffect } from 'react';
import type { ReactNode } from 'react';

/** The page outside: before anybody is logged in. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Redoubt`;
  }, [title]);
  return (
    <main className="rd-door">
      <Card className="rd-door-card">
        <CardTitle component="h1">
          <span className="rd-door-title"><img src="/redoubt.svg" alt="" width={32} height={32} /> {title}</span>
        </CardTitle>
        <CardBody>{children}</CardBody>
      </Card>
    </main>
  );
}
