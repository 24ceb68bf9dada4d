import { Button, Form } from '@patternfly/react-core';
import { useState } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { ApiError } from '../../api/client';
import { useLogin, useSession } from '../../api/hooks';
import { Failure } from '../../parts/Answer';
import { Door } from './Door';
import { Field } from '../../parts/Field';

export default function Login() {
  const [search] = useSearchParams();
  const session = useSession();
  const login = useLogin();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  if (session.data) return <Navigate to={inside(search.get('next'))} replace />;
  const wrong = login.error instanceof ApiError && login.error.status === 401;
  return (
    <Door title="Log in to Redoubt">
      <Form onSubmit={(e) => {
        e.preventDefault();
        login.mutate({ name, password });
      }}>
        {wrong && <p role="alert" className="rd-wrong">Name or password is wrong. After several wrong tries the account is locked for a while.</p>}
        {login.error != null && !wrong && <Failure error={login.error} act="Log in" />}
        <Field id="name" label="Name" value={name} set={setName} complete="username" focus />
        <Field id="password" label="Password" value={password} set={setPassword} type="password" complete="current-password" />
        <Button type="submit" isBlock isLoading={login.isPending} isDisabled={!name || !password || login.isPending}>Log in</Button>
        <p className="rd-sub">Forgot the password? An administrator can set a new one under Access.</p>
      </Form>
    </Door>
  );
}

/** Only a path of this site: a link must not lead out of it. */
function inside(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}
