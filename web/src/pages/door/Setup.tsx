import { Button, Form } from '@patternfly/react-core';
import { useEffect, useState } from 'react';
import { Link, Navigate } from 'react-router';
import { useFirstUser, useSession, useSetup } from '../../api/hooks';
import { Answer, Failure } from '../../parts/Answer';
import { Door } from './Door';
import { Field } from '../../parts/Field';

export default function Setup() {
  const setup = useSetup();
  const session = useSession();
  if (session.data) return <Navigate to="/" replace />;
  return (
    <Door title="Set up Redoubt">
      <Answer of={setup} act="Ask whether set-up is still needed">
        {(s) => s.needed ? <FirstUser /> : <p>Set-up is done. <Link to="/login">Log in</Link> instead.</p>}
      </Answer>
    </Door>
  );
}

function FirstUser() {
  const [given] = useState(() => new URLSearchParams(window.location.search).get('token') ?? '');
  const [token, setToken] = useState(given);
  const [name, setName] = useState('admin');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const make = useFirstUser();
  useEffect(() => {
    // The token opens the console once; it has no place in the history.
    if (given) window.history.replaceState(window.history.state, '', '/setup');
  }, [given]);
  const short = password !== '' && password.length < 12 && 'At least 12 characters';
  const differs = again !== '' && again !== password && 'The two passwords differ';
  return (
    <Form onSubmit={(e) => {
      e.preventDefault();
      make.mutate({ token, name, password });
    }}>
      <p>Make the first administrator. Everybody else gets an account from you, under Access.</p>
      {make.error != null && <Failure error={make.error} act="Make the administrator" />}
      {!given && <Field id="token" label="Set-up token" value={token} set={setToken} help="The end of the set-up link that redoubt up printed at its first start" />}
      <Field id="name" label="Name" value={name} set={setName} complete="username" />
      <Field id="password" label="Password" value={password} set={setPassword} type="password" complete="new-password" focus wrong={short} help="At least 12 characters; a few words are best" />
      <Field id="again" label="Password again" value={again} set={setAgain} type="password" complete="new-password" wrong={differs} />
      <Button type="submit" isBlock isLoading={make.isPending} isDisabled={make.isPending || !token || !name || password.length < 12 || again !== password}>Make the administrator</Button>
    </Form>
  );
}
