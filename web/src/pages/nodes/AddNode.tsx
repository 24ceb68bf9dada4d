import { Button, ClipboardCopy, ClipboardCopyVariant, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { useJoin } from '../../api/hooks';
import { Failure } from '../../parts/Answer';
import { Time } from '../../parts/Time';

/** Makes a join token and shows the command that uses it. */
export function AddNode({ close }: { close: () => void }) {
  const join = useJoin();
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby="add-node">
      <ModalHeader title="Add a node" labelId="add-node" />
      <ModalBody>
        {join.data ? (
          <div className="rd-stack">
            <p>Run this as root on the machine to be protected. It works once, expires <Time at={join.data.expires} /> and is not shown again.</p>
            <ClipboardCopy isReadOnly isCode isExpanded variant={ClipboardCopyVariant.expansion} hoverTip="Copy" clickTip="Copied" textAriaLabel="Join command" toggleAriaLabel="Show the whole command">{join.data.command}</ClipboardCopy>
            <p>The node appears here a few seconds later.</p>
          </div>
        ) : (
          <p>This makes a join token with which one defender can enrol, once. The defender then gets its own certificate; the token pins this console’s authority, so nobody in between can pose as it.</p>
        )}
        {join.error != null && <Failure error={join.error} act="Make a join token" />}
      </ModalBody>
      <ModalFooter>
        {!join.data && <Button isLoading={join.isPending} onClick={() => join.mutate(undefined)}>Make a join token</Button>}
        <Button variant="link" onClick={close}>Close</Button>
      </ModalFooter>
    </Modal>
  );
}
