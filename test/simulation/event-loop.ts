/** An event that waits for its moment. */
export interface SimEvent {
  readonly atUs: number;
  readonly seq: number;
  run: (() => void) | undefined;
}

/** When the virtual world begins, in milliseconds since 1970. */
export const EPOCH_MS = 1_767_225_600_000;

/** Events in one slice of the real loop: others (the test runner) need it now and then. */
const SLICE_EVENTS = 20_000;

/**
 * Virtual time: a heap of events, the earliest first, those of one moment in the order in which they were asked for.
 *
 * After each event every promise goes on as far as it can before the next event, as between two macrotasks of Node.
 * `process._tickCallback` does that on the spot (20 ns when nothing waits, against microseconds for a real
 * `setImmediate`), provided that no microtask is running already: so {@link runUntil} does its work in a real
 * `setImmediate`. Where the function is missing the loop waits for a `setImmediate` after each event: slower, same
 * order.
 */
export class EventLoop {
  nowUs = 0;
  #heap: SimEvent[] = [];
  #seq = 0;
  #cancelled = 0;
  #running = false;

  /** Events that wait, cancelled ones left out. */
  get waiting(): number {
    return this.#heap.length - this.#cancelled;
  }

  after(delayUs: number, run: () => void): SimEvent {
    const event: SimEvent = { atUs: this.nowUs + Math.max(0, Math.round(delayUs)), seq: this.#seq++, run };
    this.#push(event);
    return event;
  }

  cancel(event: SimEvent): void {
    if (event.run === undefined) return;
    event.run = undefined;
    this.#cancelled++;
    if (this.#cancelled > 1000 && this.#cancelled > this.#heap.length / 2) this.#sweep();
  }

  /** Lets promises go on. Only valid while {@link runUntil} runs, which is when events run. */
  drain(): void {
    if (syncDrain !== undefined) syncDrain();
  }

  /**
   * Runs events until `done()` holds after one of them, none is left, or virtual time reaches `untilUs` (then it stands
   * exactly there). True when `done()` was what ended it. An event that throws rejects.
   */
  runUntil(untilUs: number, done: () => boolean): Promise<boolean> {
    if (this.#running) throw new Error('the world runs already');
    this.#running = true;
    return new Promise<boolean>((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#running = false;
        settle();
      };
      const slice = () => {
        try {
          const ended = this.#slice(untilUs, done, probedDrain() ? SLICE_EVENTS : 1);
          if (ended === undefined) setImmediate(slice);
          else finish(() => resolve(ended));
        } catch (error) {
          finish(() => reject(error));
        }
      };
      setImmediate(slice);
    });
  }

  #slice(untilUs: number, done: () => boolean, count: number): boolean | undefined {
    this.drain();
    for (let i = 0; i < count; i++) {
      if (done()) return true;
      const event = this.#heap[0];
      if (event === undefined || event.atUs > untilUs) {
        if (untilUs !== Number.POSITIVE_INFINITY) this.nowUs = Math.max(this.nowUs, untilUs);
        return false;
      }
      this.#pop();
      const { run } = event;
      if (run === undefined) {
        this.#cancelled--;
        continue;
      }
      event.run = undefined;
      this.nowUs = event.atUs;
      run();
      this.drain();
    }
    return undefined;
  }

  #sweep(): void {
    const rest = this.#heap.filter((event) => event.run !== undefined);
    this.#cancelled = 0;
    // Sorted is a heap.
    this.#heap = rest.sort((a, b) => a.atUs - b.atUs || a.seq - b.seq);
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      const above = heap[parent] as SimEvent;
      if (!before(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as SimEvent;
    const size = heap.length;
    if (size === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1] as SimEvent, heap[child] as SimEvent)) child++;
      const below = heap[child] as SimEvent;
      if (!before(below, last)) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq);
}

const tickCallback: unknown = Reflect.get(process, '_tickCallback');
const syncDrain = typeof tickCallback === 'function' ? () => void tickCallback.call(process) : undefined;

/** Whether {@link syncDrain} works where this is called from. */
function probedDrain(): boolean {
  if (syncDrain === undefined) return false;
  let ran = false;
  queueMicrotask(() => {
    ran = true;
  });
  syncDrain();
  return ran;
}
