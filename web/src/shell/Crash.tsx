import { PageSection } from '@patternfly/react-core';
import { Component } from 'react';
import type { ReactNode } from 'react';
import { Failure } from '../parts/Answer';

/** Keeps the rest of the interface alive when one page breaks. */
export class Crash extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: undefined as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <PageSection>
        <Failure error={this.state.error} act="Show this page" retry={() => window.location.reload()} />
      </PageSection>
    );
  }
}
