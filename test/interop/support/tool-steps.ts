import { calm } from './calm.ts';
import type { Observations } from './compare.ts';
import type { Target } from './target.ts';
import type { JavaTools, ToolName } from './tools.ts';

/** Kafka's own tools against one broker, and what each step of them gave. */
export class ToolSteps {
  readonly seen: Observations = {};
  protected readonly target: Target;
  protected readonly tools: JavaTools;

  constructor(target: Target, tools: JavaTools) {
    this.target = target;
    this.tools = tools;
  }

  run(name: ToolName, args: readonly string[], input?: string) {
    const server = ['--bootstrap-server', this.target.bootstrap];
    return this.tools.run(name, [...server, ...args], input === undefined ? {} : { input });
  }

  async tool(step: string, name: ToolName, ...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await this.run(name, args);
    this.seen[step] = { code, stdout: calm(stdout), stderr: calm(stderr) };
  }
}
