import { Alert, Button, ClipboardCopy, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { useId } from 'react';
import type { ReactNode } from 'react';

/** A secret, shown this one time. */
export function Once({ title, secrets, close, children }: { title: string; secrets: [name: string, value: string][]; close: () => void; children: ReactNode }) {
  const id = useId();
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby={`${id}-title`}>
      <ModalHeader title={title} labelId={`${id}-title`} />
      <ModalBody>
        <div className="rd-stack">
          <Alert isInline variant="warning" title="Copy it now: nobody can see it again" />
          {secrets.map(([name, value]) => (
            <div key={name}>
              <p className="rd-h3">{name}</p>
              <ClipboardCopy isReadOnly hoverTip="Copy" clickTip="Copied" textAriaLabel={name}>{value}</ClipboardCopy>
            </div>
          ))}
          {children}
        </div>
      </ModalBody>
      <ModalFooter><Button onClick={close}>Done</Button></ModalFooter>
    </Modal>
  );
}
