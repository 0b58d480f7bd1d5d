// The floor under every transaction that a Node process serves: it stands in front of a broker, which answers the first
// request of each kind on a connection; from then on those of transactions get that answer again, after as many writes to
// files as a broker does, and nothing else is done for them. Sockets are read and written as odradek does it, which is the
// cheapest way known. Prints its port.
import { openSync, unlinkSync, writeSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LENGTH_BYTES = 4;
const API_KEY_AT = 4;
const REQUEST_CORRELATION_AT = 8;
const ANSWER_CORRELATION_AT = 4;
/** Produce, AddPartitionsToTxn and EndTxn. */
const REPEATED = new Set([0, 24, 26]);
const REQUESTS_PER_TRANSACTION = 3;
const FILES = 8;
const FILE_BYTES_MAX = 32 * 1024 * 1024;
const RECORD = Buffer.alloc(400, 'a batch of usual length ');
/** Reads are synchronous: one buffer serves all sockets. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

const brokerPort = Number(process.argv[2]);
const writesPerTransaction = Number(process.argv[3]);

const files = Array.from({ length: FILES }, (_, index) => {
  const path = join(tmpdir(), `bare-${process.pid}-${index}`);
  const descriptor = openSync(path, 'w');
  unlinkSync(path);
  return { descriptor, bytes: 0 };
});

let pending = [];
let owedWrites = 0;
let written = 0;
const flush = () => {
  owedWrites += (pending.length * writesPerTransaction) / REQUESTS_PER_TRANSACTION;
  for (; owedWrites >= 1; owedWrites -= 1) {
    const file = files[written++ % FILES];
    writeSync(file.descriptor, RECORD, 0, RECORD.length, file.bytes);
    file.bytes = (file.bytes + RECORD.length) % FILE_BYTES_MAX;
  }
  const answered = pending;
  pending = [];
  for (const { descriptor, answer } of answered) writeSync(descriptor, answer);
};

/** Takes chunks that are valid during the call, and gives `take` each frame. */
function splitter(take) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (all.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + all.readInt32BE(at);
      if (end > all.length) break;
      take(all.subarray(at, end));
      at = end;
    }
    rest = Buffer.from(all.subarray(at));
  };
}

const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
  const handle = accepted._handle;
  accepted._handle = null;
  accepted.destroy();
  const descriptor = handle.fd;
  const broker = connect({ port: brokerPort, host: '127.0.0.1', noDelay: true });
  const asked = [];
  const answers = new Map();
  const split = splitter((frame) => {
    const apiKey = frame.readInt16BE(API_KEY_AT);
    const answer = REPEATED.has(apiKey) ? answers.get(apiKey) : undefined;
    if (answer === undefined) {
      asked.push(apiKey);
      broker.write(Buffer.from(frame));
      return;
    }
    frame.copy(answer, ANSWER_CORRELATION_AT, REQUEST_CORRELATION_AT, REQUEST_CORRELATION_AT + 4);
    if (pending.length === 0) setImmediate(flush);
    pending.push({ descriptor, answer });
  });
  const callback = (count) => {
    split(scratch.subarray(0, count));
    return true;
  };
  const socket = new Socket({ handle, onread: { buffer: scratch, callback } });
  const answered = splitter((answer) => {
    answers.set(asked.shift(), Buffer.from(answer));
    socket.write(Buffer.from(answer));
  });
  broker.on('data', answered);
  for (const each of [broker, socket]) each.on('error', () => {});
  socket.on('close', () => broker.destroy());
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
// It ends with whoever started it.
process.stdin.on('close', () => process.exit()).resume();
