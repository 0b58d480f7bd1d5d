import { connect, type Socket } from 'node:net';
import { batchOf, errorIn, onAnswers, writeProduce } from './fill.ts';

const REQUESTS_PER_SECOND = 1000;
const CONNECTIONS = 4;

/** Sends produce requests of 1 KiB at a fixed rate, whatever the answers take. */
export class PacedProducer {
  readonly #topic: string;
  readonly #batch = batchOf(1, 1024);
  readonly #sockets: Socket[] = [];
  #latencies: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;
  #sent = 0;
  #isOver = false;

  private constructor(topic: string) {
    this.#topic = topic;
  }

  static async start(port: number, topic: string): Promise<PacedProducer> {
    const producer = new PacedProducer(topic);
    const sending: (() => void)[] = [];
    for (let i = 0; i < CONNECTIONS; i++) sending.push(await producer.#connect(port));
    const startedMs = performance.now();
    producer.#timer = setInterval(() => {
      const due = ((performance.now() - startedMs) * REQUESTS_PER_SECOND) / 1000;
      for (; producer.#sent < due; producer.#sent++) sending[producer.#sent % CONNECTIONS]?.();
    }, 1);
    return producer;
  }

  /** Forgets what was measured before. */
  clear(): void {
    this.#latencies = [];
  }

  /** The p99 of all answers since `clear`, in milliseconds. */
  p99(): number {
    if (this.#failure !== undefined) throw new Error(this.#failure);
    const sorted = this.#latencies.slice().sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
  }

  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves with what sends the next request on this connection. */
  #connect(port: number): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      const sentMs: number[] = [];
      this.#sockets.push(socket);
      onAnswers(socket, (answer) => {
        const code = errorIn(answer, this.#topic);
        if (code !== 0) this.#failure ??= `produce answered ${code}`;
        this.#latencies.push(performance.now() - (sentMs.shift() ?? Number.NaN));
      });
      socket.once('error', reject);
      socket.once('close', () => {
        if (!this.#isOver) this.#failure ??= 'the broker closed the connection';
      });
      socket.once('connect', () =>
        resolve(() => {
          sentMs.push(performance.now());
          writeProduce(socket, this.#topic, 0, this.#batch);
        }),
      );
    });
  }
}
