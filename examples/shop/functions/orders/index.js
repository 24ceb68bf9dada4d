'use strict';
// Takes orders: asks the function "prices" what they cost and "invoice" for an
// invoice, and keeps them in the bucket "orders" for the warehouse.

const { discounted } = require('tiny-discount');

const api = process.env.REDOUBT_API;

exports.handler = async (event, context) => {
  const order = JSON.parse(event.body || '{}');
  const quote = await invoke('prices', { item: order.item, quantity: order.quantity });
  if (!quote.prices || quote.prices.length !== 1) {
    return reply(404, { message: `the shop does not sell ${order.item}` });
  }
  const placed = {
    id: context.awsRequestId,
    customer: String(order.customer),
    item: quote.prices[0].item,
    quantity: quote.quantity,
    cents: await discounted(quote.prices[0].cents * quote.quantity, order),
  };
  await keep(placed);
  placed.invoice = await invoke('invoice', placed);
  return reply(201, placed);
};

async function invoke(name, payload) {
  const answer = await fetch(`${api}/2015-03-31/functions/${name}/invocations`, { method: 'POST', body: JSON.stringify(payload) });
  const said = await answer.json();
  if (!answer.ok || answer.headers.get('x-amz-function-error')) {
    throw new Error(`${name}: ${said.errorMessage || said.message || said.Message}`);
  }
  return said;
}

async function keep(o) {
  const line = [o.id, o.customer, o.item, o.quantity, o.cents].map((v) => String(v).replace(/[\n;]/g, ' ')).join(';');
  const answer = await fetch(`${api}/buckets/orders/${o.id}.csv`, { method: 'PUT', body: line + '\n' });
  if (!answer.ok) throw new Error(`keep order: ${answer.status}`);
}

function reply(statusCode, body) {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
