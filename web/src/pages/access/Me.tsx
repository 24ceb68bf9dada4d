import { Alert, Button, Form } from '@patternfly/react-core';
import { useState } from 'react';
import { useSaveUser, useSession } from '../../api/hooks';
import type { Role } from '../../api/types';
import { Failure } from '../../parts/Answer';
import { Field } from '../../parts/Field';

/** A new password for whoever is logged in. */
export function Me() {
  const session = useSession();
  const save = useSaveUser();
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const me = session.data;
  if (!me) return null;
  if (me.role !== 'admin') return <p>You are {me.user}, {me.role}. An administrator can set a new password for you, under Users.</p>;
  const short = password !== '' && password.length < 12 && 'At least 12 characters';
  const differs = again !== '' && again !== password && 'The two passwords differ';
  return (
    <Form isWidthLimited onSubmit={(e) => {
      e.preventDefault();
      save.mutate({ name: me.user, role: me.role as Role, password }, {
        onSuccess: () => {
          setPassword('');
          setAgain('');
        },
      });
    }}>
      <p>You are {me.user}, {me.role}. A new password ends every session of this account, this one too: log in again with it.</p>
      {save.isSuccess && <Alert isInline isLiveRegion variant="success" title="The new password is set" />}
      {save.error != null && <Failure error={save.error} act="Set the password" />}
      <Field id="new-password" label="New password" value={password} set={setPassword} type="password" complete="new-password" wrong={short} help="At least 12 characters; a few words are best" />
      <Field id="new-again" label="New password again" value={again} set={setAgain} type="password" complete="new-password" wrong={differs} />
      <div><Button type="submit" isLoading={save.isPending} isDisabled={save.isPending || password.length < 12 || again !== password}>Set the password</Button></div>
    </Form>
  );
}
