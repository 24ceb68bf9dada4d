import { expect, test } from 'vitest';
import { kindTitle, useText } from './use';

test('a use reads as a deed', () => {
  expect(useText({ kind: 'egress', target: 'api.example.com:443' })).toBe('connect to api.example.com:443');
  expect(useText({ kind: 'exec', target: '/bin/sh', args: ['sh', '-c', '*'] })).toBe('start /bin/sh -c *');
  expect(useText({ kind: 'exec', target: '/bin/sh', args: null })).toBe('start /bin/sh');
  expect(useText({ kind: 'read', target: '/tmp/a\u202e' })).toBe('read /tmp/a\\u{202e}');
  expect(useText({ kind: 'new', target: 'x' })).toBe('new x');
  expect(kindTitle('secret')).toBe('Secrets');
});
