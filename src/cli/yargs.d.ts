/** The little of yargs that is used here; the package brings no types of its own. */
declare module 'yargs' {
  interface OptionText {
    readonly type: 'string' | 'boolean' | 'array';
    readonly describe: string;
  }
  interface Yargs {
    scriptName(name: string): Yargs;
    usage(text: string): Yargs;
    command(usage: string, text: string): Yargs;
    option(name: string, option: OptionText): Yargs;
    epilogue(text: string): Yargs;
    version(enabled: false): Yargs;
    help(enabled: boolean): Yargs;
    wrap(columns: number): Yargs;
    getHelp(): Promise<string>;
  }
  export default function yargs(args?: readonly string[]): Yargs;
}
