/** What one run of one broker gave, by what it is. */
export type Figures = Record<string, number>;

const text = (value: number): string =>
  !Number.isFinite(value)
    ? '–'
    : value.toLocaleString('en-GB', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });

/** The median of several rounds, figure by figure, of those rounds that have it. */
export function median(rounds: readonly Figures[]): Figures {
  const middle: Figures = {};
  for (const name of Object.keys(rounds[0] ?? {})) {
    const values = rounds
      .map((round) => round[name] ?? Number.NaN)
      .filter((value) => !Number.isNaN(value))
      .sort((a, b) => a - b);
    middle[name] = values[values.length >> 1] ?? Number.NaN;
  }
  return middle;
}

/** Rows of a Markdown table. */
export function rows(title: string, ours: Figures, theirs: Figures): string[] {
  const names = Object.keys(Object.keys(ours).length > 0 ? ours : theirs);
  return names.map((name) => {
    const [a, b] = [ours[name] ?? Number.NaN, theirs[name] ?? Number.NaN];
    const ratio = Number.isFinite(a / b) ? `**${text(a / b)}×**` : '';
    return `| ${title} | ${name} | ${text(a)} | ${text(b)} | ${ratio} |`;
  });
}
