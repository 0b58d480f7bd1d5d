/** Payloads for codec tests, the same on every run; `test/interop/java` makes the same bytes. */

export type PayloadKind = 'text' | 'random' | 'zeros' | 'period3' | 'records';

/** A small generator (xorshift32): integers in [0, bound). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

const WORDS = ['offset', 'topic', 'leader', 'epoch', 'record', 'batch', 'broker', 'value', 'key', 'segment'];

function text(length: number): Buffer {
  const random = seeded(length + 17);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const word = `${WORDS[random(WORDS.length)]} `;
    at += bytes.write(word, at, Math.min(word.length, length - at), 'latin1');
  }
  return bytes;
}

function records(length: number): Buffer {
  const random = seeded(length + 31);
  const bytes = Buffer.alloc(length);
  for (let at = 0, id = 0; at < length; id++) {
    const line = `{"id":${id},"user":"u${random(500)}","amount":${random(100000)},"at":17${random(100000000)}}`;
    at += bytes.write(line, at, Math.min(line.length, length - at), 'latin1');
  }
  return bytes;
}

export function payload(kind: PayloadKind, length: number): Buffer {
  switch (kind) {
    case 'text':
      return text(length);
    case 'records':
      return records(length);
    case 'zeros':
      return Buffer.alloc(length);
    case 'period3':
      return Buffer.alloc(length, 'abc');
    case 'random': {
      const random = seeded(length + 5);
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at++) bytes[at] = random(256);
      return bytes;
    }
  }
}

const BATCH_RECORDS = 24;

/** The records of the batches that `CodecInterop.java` writes and reads. */
export function batchRecords() {
  return Array.from({ length: BATCH_RECORDS }, (_, i) => ({
    timestamp: 1_700_000_000_000n + BigInt(((i * 37) % 100) * 1000),
    key: i % 3 === 0 ? null : payload('records', i),
    value: i % 7 === 0 ? null : payload('records', i * i),
    headers: Array.from({ length: i % 4 }, (_, h) => ({
      key: `h${h}`,
      value: h === 2 ? null : payload('records', h + i),
    })),
  }));
}
