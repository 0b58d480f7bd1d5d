import { stopOptionTexts } from './help.ts';
import { loadConfig, parseNodeOptions } from './node-options.ts';
import { isAlive, runFilePath, runningNode } from './run-file.ts';
import { secondsOf } from './seconds.ts';
import { stopRunningNode } from './stop.ts';

/** `broker stop`; resolves to the exit code once the node has gone. */
export async function stopCommand(args: readonly string[]): Promise<number> {
  const { options, values } = parseNodeOptions(args, stopOptionTexts);
  const timeoutMs = secondsOf(values.get('timeout'), 30);
  const config = loadConfig(options);
  const path = runFilePath(config, options.memory);
  return stopRunningNode(
    options.memory ? path : (config.logDirs[0] ?? path),
    { timeoutMs, force: values.get('force') === true },
    {
      running: () => runningNode(path),
      isAlive,
      kill: (pid, signal) => process.kill(pid, signal),
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      print: (line) => process.stdout.write(`${line}\n`),
      printError: (line) => process.stderr.write(`${line}\n`),
    },
  );
}
