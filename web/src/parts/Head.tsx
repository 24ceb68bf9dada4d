import { Content, PageSection } from '@patternfly/react-core';
import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';

interface Props { title: string; children?: ReactNode; actions?: ReactNode; crumbs?: ReactNode; labels?: ReactNode }

/** The top of a page: names it for the eye, the tab and the screen reader. */
export function Head({ title, children, actions, crumbs, labels }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Redoubt`;
  }, [title]);
  return (
    <PageSection className="rd-head">
      {crumbs}
      <div className="rd-head-row">
        <Content>
          <h1 ref={heading} tabIndex={-1} className="rd-h1">{title} {labels}</h1>
          {children && <div className="rd-sub">{children}</div>}
        </Content>
        {actions && <div className="rd-actions">{actions}</div>}
      </div>
    </PageSection>
  );
}
