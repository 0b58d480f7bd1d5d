// Drives a broker with kafka-node and prints, one JSON object a line, what each step gave.
const { createRequire } = require('node:module');
const [folder, kafkaHost] = process.argv.slice(2);
const kafka = createRequire(`${folder}/main.js`)('kafka-node');

const BASE = 1_700_000_000_000;
const CODECS = { none: 0, gzip: 1, snappy: 2 };
const step = (name, value) => console.log(JSON.stringify({ step: name, value }));
const shown = (text) => (text === null || text.length <= 100 ? text : `${text.length} bytes`);
const called = (run) =>
  new Promise((resolve, reject) => run((error, value) => (error ? reject(error) : resolve(value))));

const newClient = async () => {
  const client = new kafka.KafkaClient({
    kafkaHost,
    connectTimeout: 180_000,
    requestTimeout: 180_000,
  });
  await new Promise((resolve, reject) => client.once('ready', resolve).once('error', reject));
  return client;
};

async function produce(topic, codec) {
  const client = await newClient();
  const producer = new kafka.Producer(client, { requireAcks: 1, ackTimeoutMs: 5000 });
  const messages = [0, 1, 2, 3].map((i) => new kafka.KeyedMessage(`k${i}`, `value ${i}`));
  messages.push('x'.repeat(50_000));
  const payload = { topic, partition: 0, messages, attributes: CODECS[codec], timestamp: BASE };
  step(`${topic} produce`, await called((done) => producer.send([payload], done)));
  await called((done) => client.close(() => done()));
}

async function consume(label, topic, offset, count) {
  const client = await newClient();
  const consumer = new kafka.Consumer(client, [{ topic, partition: 0, offset }], {
    autoCommit: false,
    fromOffset: true,
    encoding: 'utf8',
    keyEncoding: 'utf8',
    fetchMaxWaitMs: 100,
  });
  const rows = [];
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${label}: ${rows.length} messages in 180 s`)), 180_000);
    consumer.on('error', reject);
    consumer.on('message', (message) => {
      rows.push([message.offset, shown(message.key), shown(message.value)]);
      if (rows.length !== count) return;
      clearTimeout(timer);
      resolve();
    });
  });
  step(`${label} consume`, rows);
  await called((done) => consumer.close(false, () => done()));
}

async function offsets(label, topic) {
  const client = await newClient();
  const offset = new kafka.Offset(client);
  const seen = [];
  for (const time of [-1, -2]) {
    seen.push(await called((done) => offset.fetch([{ topic, partition: 0, time, maxNum: 5 }], done)));
  }
  step(`${label} offsets`, seen);
  await called((done) => client.close(() => done()));
}

(async () => {
  for (const codec of Object.keys(CODECS)) {
    const topic = `node-${codec}`;
    await produce(topic, codec);
    await consume(topic, topic, 0, 5);
    await consume(`${topic} from 3`, topic, 3, 2);
  }
  await offsets('node', 'node-none');
  for (const topic of ['modern-none', 'modern-gzip', 'modern-snappy']) {
    await consume(`node ${topic}`, topic, 0, 3);
  }
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
