/** The command line can't be understood; the message says what is wrong, and the process ends with 1. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
