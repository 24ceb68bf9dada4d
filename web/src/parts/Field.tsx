import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core';
import type { TextInputProps } from '@patternfly/react-core';

interface Props { id: string; label: string; value: string; set: (v: string) => void; help?: string; wrong?: string | false; type?: TextInputProps['type']; complete?: string; focus?: boolean; optional?: boolean; list?: string }

/** One labelled line of a form. */
export function Field({ id, label, value, set, help, wrong, type = 'text', complete, focus, optional, list }: Props) {
  const says = wrong || help;
  return (
    <FormGroup label={label} fieldId={id} isRequired={!optional}>
      <TextInput
        id={id}
        isRequired={!optional}
        list={list}
        type={type}
        value={value}
        onChange={(_, v) => set(v)}
        validated={wrong ? 'error' : 'default'}
        autoComplete={complete}
        autoFocus={focus}
        aria-describedby={says ? `${id}-help` : undefined}
      />
      {says && (
        <FormHelperText>
          <HelperText id={`${id}-help`}><HelperTextItem variant={wrong ? 'error' : 'default'}>{says}</HelperTextItem></HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}
