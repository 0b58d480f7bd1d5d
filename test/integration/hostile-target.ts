import { type ChildProcess, fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import type { FromBroker } from './hostile-broker.ts';

const ROOT = dirname(dirname(import.meta.dirname));

/** The broker under attack, in a process of its own so that its memory can be seen. */
export class Target {
  readonly #child: ChildProcess;
  readonly errors: string[] = [];
  port = 0;
  controllerPort = 0;
  exited = false;
  #told: (message: FromBroker) => void = () => {};
  #failed: (error: Error) => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: FromBroker) => {
      if (message.kind === 'log') {
        if (message.level === 'error' && this.errors.length < 5) this.errors.push(message.text);
      } else this.#told(message);
    });
    child.on('exit', (code, signal) => {
      this.exited = true;
      this.#failed(new Error(`the broker ended: ${code ?? signal}`));
    });
  }

  static async bundle(): Promise<string> {
    // Below node_modules, from where the bundle finds its dependencies; another run may be under way.
    const file = join(
      ROOT,
      `node_modules/.cache/odradek/hostile-broker-${process.pid}-${process.hrtime.bigint()}.mjs`,
    );
    const bundle = await rolldown({
      input: join(import.meta.dirname, 'hostile-broker.ts'),
      platform: 'node',
      external: [/^node:/, 'pino', 'snappyjs', /^@bokuweb\//],
    });
    await bundle.write({ file, format: 'esm', codeSplitting: false });
    await bundle.close();
    return file;
  }

  /** `settings` come on top of those of the test. */
  static async start(
    file: string,
    dir: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<Target> {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const given = [join(dir, 'data'), JSON.stringify(settings)];
    const target = new Target(fork(file, given, { stdio: [...stdio] }));
    const started = await target.#next();
    if (started.kind !== 'started') throw new Error('the broker said something else first');
    target.port = started.port;
    target.controllerPort = started.controllerPort;
    return target;
  }

  #next(): Promise<FromBroker> {
    return new Promise((resolve, reject) => {
      this.#told = resolve;
      this.#failed = reject;
    });
  }

  /** The most that was resident since this was last asked. */
  async residentBytes(): Promise<number> {
    const answer = this.#next();
    this.#child.send('memory');
    const message = await answer;
    return message.kind === 'memory' ? message.residentBytes : 0;
  }

  stop(): Promise<void> {
    if (this.exited) return Promise.resolve();
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }
}
