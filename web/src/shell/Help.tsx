import { Modal, ModalBody, ModalHeader } from '@patternfly/react-core';
import { places } from './places';

const others: [keys: string[], does: string][] = [
  [['/'], 'search on this page'],
  [['?'], 'show this help'],
  [['Esc'], 'close what is open'],
  [['←', '→', '↑', '↓'], 'walk through the map on Radar'],
  [['Enter'], 'open what is selected on Radar'],
  [['+', '-', '0'], 'zoom the map on Radar, show all of it'],
];

export function Help({ close }: { close: () => void }) {
  const jumps = places.map((p) => [['g', p.key], p.name] as [string[], string]);
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby="help-title">
      <ModalHeader title="Keys" labelId="help-title" />
      <ModalBody tabIndex={0} aria-label="List of keys">
        <dl className="rd-keys">
          {[...others, ...jumps].map(([keys, does]) => (
            <div key={does}>
              <dt>{keys.map((k) => <kbd key={k}>{k}</kbd>)}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </ModalBody>
    </Modal>
  );
}
