// The floor under every small request that a Node process answers: reads frames and sends as many bytes back for each,
// with the correlation id of the request, one write per connection and tick. Prints its port.
import { createServer } from 'node:net';

const LENGTH_BYTES = 4;
const CORRELATION_AT = 8;
const ANSWER_BYTES = Number(process.argv[2]);

const pending = [];
const flush = () => {
  for (const [socket, answer] of pending.splice(0)) socket.write(answer);
};
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {});
  // A frame of these sizes comes whole.
  socket.on('data', (frame) => {
    const answer = Buffer.alloc(LENGTH_BYTES + ANSWER_BYTES);
    answer.writeInt32BE(ANSWER_BYTES, 0);
    frame.copy(answer, LENGTH_BYTES, CORRELATION_AT, CORRELATION_AT + 4);
    if (pending.length === 0) setImmediate(flush);
    pending.push([socket, answer]);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
// It ends with whoever started it.
process.stdin.on('close', () => process.exit()).resume();
