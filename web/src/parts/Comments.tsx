import { Button, Form, FormGroup, TextArea } from '@patternfly/react-core';
import { useState } from 'react';
import type { Triage } from '../api/hooks';
import { list } from '../api/types';
import type { Comment, List } from '../api/types';
import { Failure } from './Answer';
import { useMay } from './may';
import { Time } from './Time';

interface Props { comments: List<Comment>; change: { mutate: (t: Triage & { id: string }, on?: { onSuccess?: () => void }) => void; isPending: boolean; error: unknown }; id: string }

/** What people have remarked, and room for one more. */
export function Comments({ comments, change, id }: Props) {
  const [text, setText] = useState('');
  const may = useMay('operator');
  return (
    <div className="rd-stack">
      {list(comments).length === 0 && <p>Nobody has commented yet.</p>}
      {list(comments).map((c, i) => (
        <div key={i} className="rd-comment">
          <p className="rd-sub"><strong>{c.author}</strong> <Time at={c.time} /></p>
          <p className="rd-pre">{c.text}</p>
        </div>
      ))}
      {may && (
        <Form onSubmit={(e) => {
          e.preventDefault();
          change.mutate({ id, comment: text.trim() }, { onSuccess: () => setText('') });
        }}>
          <FormGroup label="Comment" fieldId="comment">
            <TextArea id="comment" value={text} onChange={(_, v) => setText(v)} rows={2} resizeOrientation="vertical" maxLength={4000} />
          </FormGroup>
          {change.error != null && <Failure error={change.error} act="Save the change" />}
          <div><Button type="submit" variant="secondary" isDisabled={!text.trim()} isLoading={change.isPending}>Add comment</Button></div>
        </Form>
      )}
    </div>
  );
}
