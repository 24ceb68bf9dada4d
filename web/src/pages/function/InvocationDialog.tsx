import { Modal, ModalBody, ModalHeader } from '@patternfly/react-core';
import { useInvocation, useLines } from '../../api/functions';
import { Answer } from '../../parts/Answer';
import { Record } from './Record';

/** All that is known of one call. */
export function InvocationDialog({ id, close }: { id: string; close: () => void }) {
  const found = useInvocation(id);
  const name = found.data?.function ?? '';
  const lines = useLines(name, { invocation: id, limit: 200 }, name !== '');
  return (
    <Modal isOpen variant="large" onClose={close} aria-labelledby="invocation-title">
      <ModalHeader title={`Invocation ${id}`} labelId="invocation-title" />
      <ModalBody tabIndex={0} aria-label="About the invocation">
        <Answer of={found} act="Read the invocation">
          {(i) => <Record of={i} lines={lines.items?.toReversed()} />}
        </Answer>
      </ModalBody>
    </Modal>
  );
}
