// amqplib: both of its APIs, confirms, flow of a large backlog, streams of messages, refusals.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import amqplib from 'amqplib';
import callbacks from 'amqplib/callback_api';

const URL = process.env.AMQP_URL;
const name = what => `clients-${what}-${randomBytes(6).toString('hex')}`;
const ok = (what, holds = true, seen = undefined) => {
  assert.ok(holds, `${what}: ${JSON.stringify(seen)}`);
  console.log(`ok ${what}`);
};
setTimeout(() => { console.error('too slow'); process.exit(1); }, 60_000).unref();

const connection = await amqplib.connect(URL, { clientProperties: { connection_name: 'amqplib program' } });

async function backlog() {
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue(name('node'), { exclusive: true, maxPriority: 3 });
  for (let i = 0; i < 5000; i++) {
    if (!channel.publish('', queue, Buffer.from(String(i)), { persistent: true, messageId: String(i) })) {
      await new Promise(resolve => channel.once('drain', resolve));
    }
  }
  await channel.waitForConfirms();
  ok('5000 messages are confirmed', (await channel.checkQueue(queue)).messageCount === 5000);
  await channel.prefetch(100);
  const seen = [];
  await new Promise(resolve => channel.consume(queue, message => {
    seen.push(Number(message.content));
    channel.ack(message);
    if (seen.length === 5000) resolve();
  }));
  ok('and consumed in their order', seen.every((value, index) => value === index));
  await channel.close();
}

async function properties() {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue(name('node-properties'), { exclusive: true });
  const headers = {
    text: 'ü', int: 7, big: 2 ** 40, double: 1.5, yes: true, nothing: null, list: [1, 'a', { b: false }],
    bytes: Buffer.from([0, 1, 255]), when: { '!': 'timestamp', value: 1_700_000_000 },
  };
  channel.sendToQueue(queue, randomBytes(1_000_000), {
    headers, contentType: 'a/b', contentEncoding: 'none', correlationId: 'c', replyTo: 'r', expiration: '60000',
    messageId: 'm', timestamp: 1_700_000_000, type: 't', userId: 'guest', appId: 'p', priority: 3,
  });
  const message = await channel.get(queue, { noAck: true });
  assert.deepEqual({ ...message.properties.headers }, headers);
  ok('headers of every type return as sent');
  const { contentType, correlationId, replyTo, expiration, messageId, timestamp, type, userId, appId, priority } =
    message.properties;
  assert.deepEqual([contentType, correlationId, replyTo, expiration, messageId, timestamp, type, userId, appId, priority],
    ['a/b', 'c', 'r', '60000', 'm', 1_700_000_000, 't', 'guest', 'p', 3]);
  ok('properties return as sent', message.content.length === 1_000_000);
  await channel.close();
}

async function routing() {
  const channel = await connection.createChannel();
  const [source, target] = [name('node-source'), name('node-target')];
  await channel.assertExchange(source, 'topic', { autoDelete: true });
  await channel.assertExchange(target, 'fanout', { autoDelete: true, internal: true });
  await channel.bindExchange(target, source, '*.error.#');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, target, '');
  for (const key of ['web.error', 'error', 'db.error.disk.full', 'web.info']) channel.publish(source, key, Buffer.from(key));
  const got = [];
  for (let message; (message = await channel.get(queue, { noAck: true }));) got.push(message.content.toString());
  ok('exchanges bound to exchanges route', got.join() === 'web.error,db.error.disk.full', got);
  await channel.close();
}

async function cancelledConsumer() {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue(name('node-gone'), { autoDelete: false, exclusive: true });
  const told = new Promise(resolve => channel.consume(queue, resolve));
  const other = await connection.createChannel();
  await other.deleteQueue(queue);
  ok('a consumer is told that its queue is gone', (await told) === null);
  await channel.close();
}

async function requestAndReply() {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue(name('node-rpc'), { exclusive: true });
  await channel.consume(queue, message => {
    channel.sendToQueue(message.properties.replyTo, Buffer.from(message.content.toString().toUpperCase()));
  }, { noAck: true });
  const answer = new Promise(resolve => channel.consume('amq.rabbitmq.reply-to', resolve, { noAck: true }));
  channel.sendToQueue(queue, Buffer.from('hello'), { replyTo: 'amq.rabbitmq.reply-to' });
  ok('replies come directly', (await answer).content.toString() === 'HELLO');
  await channel.close();
}

async function refusals() {
  for (const [what, code, act] of [
    ['a missing queue', 404, channel => channel.checkQueue(name('absent'))],
    ['other arguments', 406, async channel => {
      const { queue } = await channel.assertQueue(name('node-ttl'), { exclusive: true, messageTtl: 1000 });
      await channel.assertQueue(queue, { exclusive: true, messageTtl: 2000 });
    }],
    ['a reserved name', 403, channel => channel.assertExchange('amq.mine', 'direct')],
  ]) {
    const channel = await connection.createChannel();
    const error = new Promise(resolve => channel.once('error', resolve));
    await assert.rejects(act(channel));
    ok(`${what} is refused`, (await error).code === code, (await error).message);
  }
}

async function callbackApi() {
  const text = await new Promise((resolve, reject) => callbacks.connect(URL, (error, other) => {
    if (error) return reject(error);
    other.createChannel((error, channel) => error ? reject(error) : channel.assertQueue('', { exclusive: true }, (error, { queue }) => {
      if (error) return reject(error);
      channel.consume(queue, message => {
        channel.ack(message);
        other.close(() => resolve(message.content.toString()));
      });
      channel.sendToQueue(queue, Buffer.from('called back'));
    }));
  }));
  ok('the callback API works', text === 'called back');
}

for (const part of [backlog, properties, routing, cancelledConsumer, requestAndReply, refusals, callbackApi]) await part();
await connection.close();
