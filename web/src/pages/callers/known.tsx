import { useVocabulary } from '../../api/callers';
import type { Vocabulary } from '../../api/functionTypes';
import { list } from '../../api/types';
import { Field } from '../../parts/Field';

interface Props { id: string; label: string; value: string; set: (v: string) => void; help?: string; optional?: boolean }

const known = (of: keyof Vocabulary) => function Known(props: Props) {
  const vocabulary = useVocabulary();
  return (
    <>
      <Field {...props} complete="off" list={`${props.id}-known`} />
      <datalist id={`${props.id}-known`}>{list(vocabulary.data?.[of] as string[]).map((p) => <option key={p} value={p} />)}</datalist>
    </>
  );
};

/** Fields that offer what there is. */
export const PrincipalField = known('principals');
export const ActionField = known('actions');
export const ResourceField = known('resources');
