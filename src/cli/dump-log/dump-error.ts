/** Why a file can't be printed, or not to its end; the message is for whoever asked for it. */
export class DumpError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DumpError';
  }
}
