import type { Peer } from './peer.ts';

/** A request that is sent again and again: `frame` is patched in place, one answer is awaited before the next. */
export interface Repeated {
  readonly peer: Peer;
  readonly frame: Buffer;
  /** Changes the frame for the request that is sent next. */
  readonly next: () => void;
  /** Throws where this answer is not what it must be; asked of the first one and of all that differ from it. */
  readonly check: (answer: Buffer) => void;
}

export interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
  /** Of the broker, for one request. */
  readonly cpuUs: number;
}

const CORRELATION_AT = 8;
const BODY_AT = 4;

/** Drives all in a closed loop; what comes after `warmupMs` counts. */
export async function hotLoop(
  requests: readonly Repeated[],
  cpuMs: () => number,
  warmupMs: number,
  measureMs: number,
): Promise<Rate> {
  const latencies: number[] = [];
  const beginMs = performance.now() + warmupMs;
  const endMs = beginMs + measureMs;
  const cpuBefore = new Promise<number>((resolve) => setTimeout(() => resolve(cpuMs()), warmupMs));
  const counts = await Promise.all(requests.map((one) => drive(one, beginMs, endMs, latencies)));
  const cpu = cpuMs() - (await cpuBefore);
  const count = counts.reduce((sum, each) => sum + each, 0);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: (count * 1000) / measureMs,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    requests: count,
    cpuUs: (cpu * 1000) / count,
  };
}

/** The number of answers within the window. */
function drive(one: Repeated, beginMs: number, endMs: number, latencies: number[]): Promise<number> {
  const { peer, frame, next, check } = one;
  let correlation = 0;
  let count = 0;
  let known: Buffer | undefined;
  return new Promise((resolve, reject) => {
    const send = (): void => {
      next();
      correlation += 1;
      frame.writeInt32BE(correlation, CORRELATION_AT);
      const sentMs = performance.now();
      // The socket may keep what it can't write at once.
      peer.send(Buffer.from(frame), (answer) => {
        const nowMs = performance.now();
        try {
          if (answer.readInt32BE(0) !== correlation) throw new Error('answers come in another order');
          const body = answer.subarray(BODY_AT);
          if (known?.equals(body) !== true) {
            check(answer);
            known = Buffer.from(body);
          }
        } catch (error) {
          reject(error);
          return;
        }
        if (nowMs >= endMs) {
          resolve(count);
          return;
        }
        if (nowMs >= beginMs) {
          count += 1;
          latencies.push(nowMs - sentMs);
        }
        send();
      });
    };
    send();
  });
}
