import { Alert, Button, Form } from '@patternfly/react-core';
import { useState } from 'react';
import { useOwnPassword, useSession } from '../../api/hooks';
import { Failure } from '../../parts/Answer';
import { Field } from '../../parts/Field';

/** A new password for whoever is logged in. */
export function Me() {
  const session = useSession();
  const save = useOwnPassword();
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const me = session.data;
  if (!me) return null;
  const short = password !== '' && password.length < 12 && 'At least 12 characters';
  const differs = again !== '' && again !== password && 'The two passwords differ';
  return (
    <Form isWidthLimited onSubmit={(e) => {
      e.preventDefault();
      save.mutate({ current, password }, {
        onSuccess: () => {
          setCurrent('');
          setPassword('');
          setAgain('');
        },
      });
    }}>
      <p>You are {me.user}, {me.role}. A new password ends your sessions in other browsers; this one goes on. API tokens stay as they are.</p>
      {save.isSuccess && <Alert isInline isLiveRegion variant="success" title="The new password is set" />}
      {save.error != null && <Failure error={save.error} act="Set the password" />}
      <Field id="current-password" label="Current password" value={current} set={setCurrent} type="password" complete="current-password" />
      <Field id="new-password" label="New password" value={password} set={setPassword} type="password" complete="new-password" wrong={short} help="At least 12 characters; a few words are best" />
      <Field id="new-again" label="New password again" value={again} set={setAgain} type="password" complete="new-password" wrong={differs} />
      <div><Button type="submit" isLoading={save.isPending} isDisabled={save.isPending || current === '' || password.length < 12 || again !== password}>Set the password</Button></div>
    </Form>
  );
}
