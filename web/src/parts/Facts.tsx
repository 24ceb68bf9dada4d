import { DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm } from '@patternfly/react-core';
import type { ReactNode } from 'react';

/** Names and values; a fact without value is left out. */
export function Facts({ of, columns = '2Col' }: { of: [string, ReactNode][]; columns?: '1Col' | '2Col' | '3Col' }) {
  const shown = of.filter(([, v]) => v !== undefined && v !== null && v !== '' && v !== false);
  return (
    <DescriptionList isCompact isHorizontal={columns === '1Col'} horizontalTermWidthModifier={{ default: '8.5rem' }} columnModifier={{ default: columns === '1Col' ? '1Col' : '2Col', md: columns }}>
      {shown.map(([name, value]) => (
        <DescriptionListGroup key={name}>
          <DescriptionListTerm>{name}</DescriptionListTerm>
          <DescriptionListDescription>{value}</DescriptionListDescription>
        </DescriptionListGroup>
      ))}
    </DescriptionList>
  );
}
