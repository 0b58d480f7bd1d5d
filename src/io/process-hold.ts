const A_MONTH_MS = 2 ** 31 - 1;

/** Keeps this process alive while `work` runs: timers do not, and a broker that stops has no socket open any more. */
export async function holdingProcess<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => {}, A_MONTH_MS);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}
