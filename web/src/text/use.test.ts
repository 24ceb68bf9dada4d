import { expect, test } from 'vitest';
import { kindTitle, deedText } from './use';

test('a use reads as a deed', () => {
  expect(deedText({ kind: 'egress', target: 'api.example.com:443' })).toBe('connect to api.example.com:443');
  expect(deedText({ kind: 'exec', target: '/bin/sh', args: ['sh', '-c', '*'] })).toBe('start /bin/sh -c *');
  expect(deedText({ kind: 'exec', target: '/bin/sh', args: null })).toBe('start /bin/sh');
  expect(deedText({ kind: 'read', target: '/tmp/a\u202e' })).toBe('read /tmp/a\\u{202e}');
  expect(deedText({ kind: 'new', target: 'x' })).toBe('new x');
  expect(kindTitle('secret')).toBe('Secrets');
});
