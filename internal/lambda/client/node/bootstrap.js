// Runs a Lambda handler written in JavaScript: loads file.function (CommonJS
// or ES module), asks the Runtime API for events and posts answers. It speaks
// HTTP by hand on one socket: that costs half of what the http module does,
// in start-up and per call.
'use strict';

const net = require('net');
const fs = require('fs');
const path = require('path');
const util = require('util');
const Module = require('module');
const { Writable } = require('stream');
const { pathToFileURL } = require('url');

const API = process.env.AWS_LAMBDA_RUNTIME_API || '127.0.0.1:9001';
const BASE = '/2018-06-01/runtime/';
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const HANDLER_STREAMS = Symbol.for('aws.lambda.runtime.handler.streaming');
const AT = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

let call = null; // the invocation under way
let requestId;
let serving = false; // the handler is loaded
let ending = false;

// Channel is the connection to the Runtime API. The socket keeps the process
// alive only while an answer is waited for, so that an empty event loop shows.
class Channel {
  constructor(address) {
    const at = address.lastIndexOf(':');
    this.socket = net.connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), noDelay: true });
    this.parts = [];
    this.size = 0;
    this.want = 0; // bytes without which parsing is in vain
    this.head = null;
    this.waiting = [];
    this.socket.on('data', (data) => this.take(data));
    const lost = () => process.exit(call ? 1 : 0);
    this.socket.on('error', lost);
    this.socket.on('close', lost);
  }

  send(...parts) {
    if (parts.length === 1) return this.socket.write(parts[0]);
    this.socket.cork();
    for (const part of parts) this.socket.write(part);
    this.socket.uncork();
    return true;
  }

  receive() {
    this.socket.ref();
    const received = new Promise((resolve) => { this.waiting.push(resolve); });
    this.parseAll(); // it may have come already
    return received;
  }

  parseAll() {
    while (this.waiting.length > 0 && this.size > 0 && this.size >= this.want && this.parse()) { /* one response after the other */ }
  }

  take(data) {
    this.parts.push(data);
    this.size += data.length;
    this.parseAll();
  }

  parse() {
    const buffer = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts, this.size);
    this.parts = [buffer];
    const end = buffer.indexOf('\r\n\r\n');
    if (end < 0) {
      this.want = this.size + 1;
      return false;
    }
    const lines = buffer.latin1Slice(0, end).split('\r\n');
    const headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    const total = end + 4 + Number(headers['content-length'] || 0);
    if (this.size < total) {
      this.want = total;
      return false;
    }
    this.want = 0;
    this.size -= total;
    this.parts = this.size > 0 ? [buffer.subarray(total)] : [];
    const resolve = this.waiting.shift();
    if (this.waiting.length === 0) this.socket.unref();
    resolve({ status: Number(lines[0].split(' ')[1]), headers, body: buffer.utf8Slice(end + 4, total) });
    return true;
  }
}

const get = (where) => `GET ${where} HTTP/1.1\r\nHost: ${API}\r\n\r\n`;
const NEXT = get(`${BASE}invocation/next`);

function post(where, body, headers = '') {
  return `POST ${where} HTTP/1.1\r\nHost: ${API}\r\nContent-Type: application/json\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function describe(error) {
  if (error instanceof Error || util.types.isNativeError(error)) {
    return { errorType: String(error.name).replace(/\x7F/g, '%7F'), errorMessage: String(error.message), trace: String(error.stack || '').split('\n') };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

class RuntimeError extends Error {
  constructor(name, message, cause) {
    super(message, cause ? { cause } : undefined);
    this.name = name;
    if (cause && cause.stack) this.stack = cause.stack;
  }
}

const typeHeader = (doc) => `Lambda-Runtime-Function-Error-Type: ${doc.errorType.replace(/[^\x20-\x7e]/g, '?')}\r\n`;

// console lines carry the time, the request id and the level.
function patchConsole() {
  const levels = { log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', debug: 'DEBUG', trace: 'TRACE', fatal: 'FATAL' };
  const order = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
  const least = order.indexOf(String(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase());
  for (const [name, level] of Object.entries(levels)) {
    console[name] = order.indexOf(level) < least ? () => {} : (...args) => {
      const text = util.format(...args).replace(/\n/g, '\r');
      process.stdout.write(`${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
    };
  }
}

// ResponseStream is the answer of a streaming handler. Nothing is sent before
// its first byte: until then an error is an ordinary one.
class ResponseStream extends Writable {
  constructor(channel, id, options) {
    super(options);
    this.channel = channel;
    this.id = id;
    this.contentType = 'application/octet-stream';
    this.begun = false;
  }

  setContentType(type) { this.contentType = type; }

  begin() {
    if (this.begun) return;
    this.begun = true;
    if (this.prefix) this.contentType = PRELUDE_TYPE;
    this.channel.send(`POST ${BASE}invocation/${this.id}/response HTTP/1.1\r\nHost: ${API}\r\n`
      + `Content-Type: ${String(this.contentType).replace(/[\r\n]/g, '')}\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n`
      + 'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\nTransfer-Encoding: chunked\r\n\r\n');
    if (this.prefix) this.chunk(this.prefix);
  }

  chunk(data, done) {
    this.channel.socket.cork();
    this.channel.send(`${data.length.toString(16)}\r\n`);
    this.channel.send(data);
    this.channel.socket.write('\r\n', done);
    this.channel.socket.uncork();
  }

  _write(chunk, encoding, done) {
    this.begin();
    if (chunk.length === 0) return done();
    const data = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    return this.chunk(data, done);
  }

  _final(done) {
    this.begin();
    done();
  }

  trailer(error) {
    let trailers = '';
    if (error) {
      const doc = describe(error);
      trailers = `${typeHeader(doc)}Lambda-Runtime-Function-Error-Body: ${Buffer.from(JSON.stringify(doc)).toString('base64')}\r\n`;
    }
    return `0\r\n${trailers}\r\n`;
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[HANDLER_STREAMS] = 'response';
    if (options && options.highWaterMark !== undefined) handler[AT] = Number(options.highWaterMark);
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.prefix = Buffer.concat([Buffer.from(JSON.stringify(metadata === undefined ? {} : metadata)), Buffer.alloc(8)]);
      stream.contentType = PRELUDE_TYPE;
      return stream;
    },
  },
};

function context(headers) {
  const json = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const env = process.env;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: json('lambda-runtime-client-context'),
    identity: json('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// Call is one invocation: it settles once, with a result or an error, at once
// or when the event loop is empty.
class Call {
  constructor() {
    this.settled = false;
    this.atEmpty = null; // what becomes of it when the event loop is empty
    this.done = new Promise((resolve) => { this.resolve = resolve; });
  }

  settle(outcome) {
    if (this.settled) return;
    this.settled = true;
    this.resolve(outcome);
  }

  callback(ctx) {
    return (error, value) => {
      const outcome = error === null || error === undefined ? { value } : { error };
      if (this.atEmpty || this.settled) return;
      if (outcome.error === undefined && ctx.callbackWaitsForEmptyEventLoop) this.atEmpty = outcome;
      else this.settle(outcome);
    };
  }
}

function start(handler, event, ctx, current, stream) {
  const done = current.callback(ctx);
  ctx.done = done;
  ctx.succeed = (value) => current.settle({ value });
  ctx.fail = (error) => current.settle({ error: error === undefined ? null : error });
  try {
    const got = stream ? handler(event, stream, ctx) : handler(event, ctx, done);
    if (got && typeof got.then === 'function') {
      got.then((value) => current.settle({ value }), (error) => current.settle({ error }));
    } else if (stream) {
      current.settle({ error: new RuntimeError('Runtime.StreamingHandler', 'a streaming handler must be async') });
    }
  } catch (error) {
    current.settle({ error });
  }
}

// answer returns what is to be sent for an outcome.
function answer(id, outcome) {
  const base = `${BASE}invocation/${id}/`;
  if (!('error' in outcome)) {
    try {
      const text = JSON.stringify(outcome.value === undefined ? null : outcome.value);
      return post(`${base}response`, text === undefined ? 'null' : text);
    } catch (error) {
      outcome = { error: new RuntimeError('Runtime.MarshalError', `Unable to stringify response body: ${error.message}`, error) };
    }
  }
  const doc = describe(outcome.error);
  console.error('Invoke Error', JSON.stringify(doc));
  return post(`${base}error`, JSON.stringify(doc), typeHeader(doc));
}

async function finishStream(stream, outcome) {
  if ('error' in outcome) {
    if (!stream.begun) return answer(stream.id, outcome);
    console.error('Invoke Error', JSON.stringify(describe(outcome.error)));
    stream.destroy();
    return stream.trailer(outcome.error);
  }
  if (!stream.writableFinished && !stream.destroyed) {
    if (!stream.writableEnded) stream.end();
    await new Promise((resolve) => { stream.once('finish', resolve); stream.once('close', resolve); stream.once('error', resolve); });
  }
  stream.begin();
  return stream.trailer(stream.errored);
}

async function serve(channel, handler) {
  serving = true;
  const streams = handler[HANDLER_STREAMS] === 'response';
  channel.send(NEXT);
  for (;;) {
    const { status, headers, body } = await channel.receive();
    if (status !== 200) throw new Error(`the Runtime API refused the next event: ${status} ${body}`);
    requestId = headers['lambda-runtime-aws-request-id'];
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) process.env._X_AMZN_TRACE_ID = trace; else delete process.env._X_AMZN_TRACE_ID;

    const current = new Call();
    current.id = requestId;
    call = current;
    const stream = streams ? new ResponseStream(channel, requestId, { highWaterMark: handler[AT] }) : null;
    if (stream) stream.on('error', (error) => current.settle({ error }));
    try {
      start(handler, JSON.parse(body), context(headers), current, stream);
    } catch (error) {
      current.settle({ error: new RuntimeError('Runtime.UnmarshalError', `Unable to parse event: ${error.message}`, error) });
    }
    const outcome = await current.done;
    const reply = stream ? await finishStream(stream, outcome) : answer(requestId, outcome);
    call = null;
    // The answer and the question for the next event go out together.
    const posted = channel.receive();
    channel.send(reply + NEXT);
    const said = await posted;
    if (said.status !== 202) console.error(`the Runtime API refused the answer: ${said.body}`);
  }
}

function die(channel, error, code) {
  const doc = describe(error);
  const where = call ? `${BASE}invocation/${call.id}/error` : `${BASE}init/error`;
  console.error(call ? 'Uncaught Exception' : 'Init Error', JSON.stringify(doc));
  if (ending) return;
  ending = true;
  if (serving && !call) process.exit(code); // between two invocations there is nobody to tell
  for (const event of ['close', 'error']) {
    channel.socket.removeAllListeners(event);
    channel.socket.on(event, () => process.exit(code));
  }
  channel.receive().then(() => process.exit(code)); // nobody reads what a process has not sent
  channel.send(post(where, JSON.stringify(doc), typeHeader(doc)));
}

function isFile(name) {
  try { return fs.statSync(name).isFile(); } catch { return false; }
}

// isModule says whether a .js file is an ES module: the nearest package.json
// decides, up to the root of the code.
function isModule(file, root) {
  if (file.endsWith('.mjs')) return true;
  if (!file.endsWith('.js')) return false;
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).type === 'module';
    } catch { /* none here, or unreadable: look further up */ }
    if (dir === root || dir === path.dirname(dir)) return false;
  }
}

function find(root, name) {
  const base = path.resolve(root, name);
  for (const suffix of ['', '.js', '.mjs', '.cjs']) if (isFile(base + suffix)) return base + suffix;
  return Module.createRequire(path.join(root, 'index.js')).resolve(name); // a package of a layer
}

async function load(root, handler) {
  const dir = path.dirname(handler);
  const parts = /^([^.]*)\.(.+)$/.exec(path.basename(handler));
  if (!parts || handler.includes('..')) throw new RuntimeError('Runtime.MalformedHandlerName', 'Bad handler');
  const name = dir === '.' ? parts[1] : `${dir}/${parts[1]}`;
  let loaded;
  try {
    const file = find(root, name);
    loaded = isModule(file, root) ? await import(pathToFileURL(file).href) : await requireOrImport(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeError('Runtime.UserCodeSyntaxError', String(error), error);
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) throw new RuntimeError('Runtime.ImportModuleError', String(error), error);
    throw error;
  }
  const at = (object) => parts[2].split('.').reduce((o, key) => (o === null || o === undefined ? undefined : o[key]), object);
  const fn = at(loaded) === undefined && loaded ? at(loaded.default) : at(loaded);
  if (fn === undefined || fn === null) throw new RuntimeError('Runtime.HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof fn !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${handler} is not a function`);
  return fn;
}

async function requireOrImport(file) {
  try {
    return require(file);
  } catch (error) {
    if (error && error.code === 'ERR_REQUIRE_ESM') return import(pathToFileURL(file).href);
    throw error;
  }
}

// attach waits, in a pre-started runtime, until it is told whose it is.
async function attach(channel) {
  for (const name of ['http', 'https', 'crypto', 'zlib', 'os', 'events', 'buffer']) require(name); // what most code loads
  await import('node:process');
  console._stdout.writable; // eslint-disable-line no-unused-expressions -- opens standard output
  channel.send(get('/2018-06-01/redoubt/attach'));
  const { status, body } = await channel.receive();
  if (status !== 200) throw new Error(`no code was attached: ${status}`);
  const doc = JSON.parse(body);
  delete process.env._REDOUBT_STEM;
  Object.assign(process.env, doc.env);
  process.env._HANDLER = doc.handler;
  process.chdir(process.env.LAMBDA_TASK_ROOT); // the code was not there when this started
  Module._initPaths(); // NODE_PATH is read at start otherwise
}

async function main() {
  const channel = new Channel(API);
  process.on('uncaughtException', (error) => die(channel, error, 129));
  process.on('unhandledRejection', (reason) => die(channel, new RuntimeError('Runtime.UnhandledPromiseRejection', String(reason), reason), 128));
  process.on('beforeExit', () => {
    if (call) call.settle(call.atEmpty || { value: null });
  });
  if (process.env._REDOUBT_STEM) await attach(channel);
  patchConsole();
  let handler;
  try {
    channel.socket.ref();
    handler = await load(process.env.LAMBDA_TASK_ROOT || '/var/task', process.env._HANDLER || '');
  } catch (error) {
    die(channel, error, 1);
    return;
  }
  await serve(channel, handler);
}

main();
