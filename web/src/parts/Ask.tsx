import { Button, Form, FormGroup, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from '@patternfly/react-core';
import { useId, useState } from 'react';
import type { ReactNode } from 'react';
import { Failure } from './Answer';

interface Change<A> { mutate: (arg: A, on?: { onSuccess?: () => void }) => void; isPending: boolean; error: unknown }

interface Props<A> {
  title: string;
  /** What will happen, before it does. */
  children: ReactNode;
  yes: string;
  danger?: boolean;
  /** Asks for a reason; it is kept in the audit trail. */
  reason?: boolean;
  ready?: boolean;
  change: Change<A>;
  arg: (reason: string) => A;
  close: () => void;
  done?: () => void;
  /** Stays open when it is done: the caller shows what came of it. */
  stay?: boolean;
}

/** Asks before a change, says what it does, stays open when it fails. */
export function Ask<A>({ title, children, yes, danger, reason, ready = true, change, arg, close, done, stay }: Props<A>) {
  const [why, setWhy] = useState('');
  const id = useId();
  const finish = () => {
    if (!stay) close();
    done?.();
  };
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby={`${id}-title`} aria-describedby={`${id}-body`}>
      <ModalHeader title={title} labelId={`${id}-title`} />
      <ModalBody id={`${id}-body`}>
        {children}
        {reason && (
          <Form onSubmit={(e) => e.preventDefault()} className="rd-reason">
            <FormGroup label="Reason (goes into the audit trail)" fieldId={`${id}-why`}>
              <TextInput id={`${id}-why`} value={why} onChange={(_, v) => setWhy(v)} />
            </FormGroup>
          </Form>
        )}
        {change.error != null && <Failure error={change.error} act={title} />}
      </ModalBody>
      <ModalFooter>
        <Button variant={danger ? 'danger' : 'primary'} isDisabled={!ready || change.isPending} isLoading={change.isPending} onClick={() => change.mutate(arg(why), { onSuccess: finish })}>
          {yes}
        </Button>
        <Button variant="link" onClick={close}>Cancel</Button>
      </ModalFooter>
    </Modal>
  );
}
