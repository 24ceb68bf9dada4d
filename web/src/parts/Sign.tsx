import { Label } from '@patternfly/react-core';
import type { LabelProps } from '@patternfly/react-core';
import type { ComponentType } from 'react';

export type Look = [color: NonNullable<LabelProps['color']>, icon: ComponentType, text?: string];

/** A label that says its meaning in words and by an icon; colour only helps. */
export function Sign({ look: [color, Icon, says], text, title }: { look: Look; text: string; title?: string | undefined }) {
  return (
    <Label isCompact color={color} icon={<Icon />} title={title} className="rd-label">
      {says ?? text}
    </Label>
  );
}
