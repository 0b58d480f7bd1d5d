/** Times closures against each other: several interleaved rounds, the median of each. */

export interface Candidate {
  readonly name: string;
  /** Does the work once; the result is kept alive. */
  readonly run: () => unknown;
}

const ROUNDS = 7;
const ROUND_MS = 40;

let kept: unknown;

function nanosecondsPerRun(run: () => unknown): number {
  let runs = 0;
  let batch = 1;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < ROUND_MS) {
    for (let i = 0; i < batch; i++) kept = run();
    runs += batch;
    batch = Math.min(batch * 2, 4096);
    elapsed = performance.now() - start;
  }
  return (elapsed * 1e6) / runs;
}

/** Median nanoseconds of one run of each candidate. */
export function measure(candidates: readonly Candidate[]): ReadonlyMap<string, number> {
  const samples = new Map<string, number[]>(candidates.map((one) => [one.name, []]));
  for (const one of candidates) nanosecondsPerRun(one.run);
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of candidates) samples.get(one.name)!.push(nanosecondsPerRun(one.run));
  }
  void kept;
  const medians = new Map<string, number>();
  for (const [name, values] of samples) medians.set(name, values.sort((a, b) => a - b)[ROUNDS >> 1]!);
  return medians;
}

export function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`wrong result: ${what}`);
}

export function column(value: number, width = 9): string {
  const text = value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.padStart(width);
}
