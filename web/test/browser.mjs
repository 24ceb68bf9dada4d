// What the browser tests share: where the console is, a browser on it, and an
// eye on what must never happen on any page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

export const env = {
  url: process.env.REDOUBT_URL?.replace(/\/$/, ''),
  setup: process.env.REDOUBT_SETUP_TOKEN,
  user: process.env.REDOUBT_USER ?? 'admin',
  password: process.env.REDOUBT_PASSWORD ?? 'correct horse battery staple',
  attack: process.env.REDOUBT_ATTACK, // a command that makes an alert, for example: docker exec web netstat
  shots: process.env.REDOUBT_SHOTS, // a folder for pictures of every page
  browser: process.env.CHROMIUM ?? '/usr/bin/chromium',
};

/** Why the tests cannot run here, or false. */
export const missing = !env.url
  ? 'REDOUBT_URL is not set: start redoubt up and set REDOUBT_URL and REDOUBT_SETUP_TOKEN (or REDOUBT_USER and REDOUBT_PASSWORD)'
  : !existsSync(env.browser)
    ? `there is no ${env.browser}: install chromium or set CHROMIUM`
    : false;

export async function startBrowser() {
  return chromium.launch({
    executablePath: env.browser,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page that remembers every error, refusal and foreign request it caused. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ baseURL: env.url, ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults = [];
  page.on('pageerror', (e) => faults.push(`${page.url()}: ${e.message}`));
  page.on('console', (m) => {
    // The browser notes every answer from 400 up; asking who one is before login is one of them.
    // Networks that come and go on this machine interrupt requests; the pages ask again.
    if (m.type() === 'error' && !/status of 401|ERR_NETWORK_CHANGED/.test(m.text())) faults.push(`${page.url()}: ${m.text()}`);
  });
  page.on('request', (r) => {
    if (!r.url().startsWith(env.url) && !r.url().startsWith('data:')) faults.push(`foreign request: ${r.url()}`);
  });
  return { page, context, faults };
}

export async function login(page, name = env.user, password = env.password) {
  await page.goto('/login');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

/** Opens a page and waits until it shows something other than a spinner. */
export async function visit(page, path) {
  await page.goto(path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => !document.querySelector('#main [role="progressbar"][aria-label$="…"]'));
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails on every serious or critical violation of WCAG 2.2 AA that axe finds. */
export async function assertAccessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
  const bad = violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.help}\n    ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')}  ${n.failureSummary?.split('\n').slice(1, 3).join(' ')}`).join('\n    ')}`);
  assert.deepEqual(bad, [], `${what}: ${bad.join('\n')}`);
}

/** How far the page reaches beyond its window, in pixels. */
export async function overflow(page) {
  return page.evaluate(() => {
    const main = document.getElementById('main');
    return Math.max(document.documentElement.scrollWidth - window.innerWidth, main ? main.scrollWidth - main.clientWidth : 0);
  });
}
