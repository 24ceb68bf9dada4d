import { expect, test } from 'vitest';
import type { Route } from '../../api/functionTypes';
import { limitsText, routeSource, targetText } from './source';

const route = { id: 'orders', description: 'What it is for', path: '/orders/{id}', method: 'GET', stage: '', compress: false, timeout: 0, limits: { rate: 5 }, cors: { origins: ['https://a.example.com'] }, target: { function: 'orders', alias: 'live' } } as Route;

test('a route becomes the document that writes it', () => {
  expect(routeSource({ ...route, owner: 'orders' })).toBe(`apiVersion: redoubt/v1
kind: Route
metadata:
  name: orders
  description: What it is for
spec:
  path: "/orders/{id}"
  method: GET
  limits:
    rate: 5
  cors:
    origins:
      - "https://a.example.com"
  target:
    function: orders
    alias: live
`);
});

test('targets and limits in words', () => {
  expect(targetText(route)).toBe('orders');
  expect(targetText({ target: { function: 'a', alias: 'beta' } })).toBe('a:beta');
  expect(targetText({ target: { function: 'a', version: 3 } })).toBe('a version 3');
  expect(targetText({ target: { function: 'a', weights: [{ version: 1, percent: 90 }, { version: 2, percent: 10 }] } })).toBe('a version 1 90 %, version 2 10 %');
  expect(targetText({ target: { url: 'https://x' } })).toBe('https://x');
  expect(limitsText(route)).toBe('5 a second each');
  expect(limitsText({})).toBe('');
});
