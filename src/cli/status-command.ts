import { parseHostAndPort } from '../config/addresses.ts';
import { defaults } from '../protocol/codec.ts';
import { ApiVersionsRequest, ApiVersionsResponse } from '../protocol/messages/api-versions.ts';
import { MetadataRequest, MetadataResponse } from '../protocol/messages/metadata.ts';
import { ask, question } from './ask.ts';
import { statusOptionTexts } from './help.ts';
import { loadConfig, type NodeOptions, parseNodeOptions } from './node-options.ts';
import { runFilePath, runningNode } from './run-file.ts';
import { secondsOf } from './seconds.ts';
import { statusOf, statusText } from './status.ts';
import { UsageError } from './usage-error.ts';

/** `broker status`; resolves to 0 where the broker answers, else to 1, also while it starts. */
export async function statusCommand(args: readonly string[]): Promise<number> {
  const { options, values } = parseNodeOptions(args, statusOptionTexts);
  const timeoutMs = secondsOf(values.get('timeout'), 5);
  const json = values.get('json') === true;
  const given = values.get('bootstrap-server') as string | undefined;
  const { server, pid, isStarting } =
    given === undefined ? localNode(options) : { server: given, pid: undefined, isStarting: false };
  const at = parseHostAndPort(server);
  if (at === undefined) throw new UsageError(`--bootstrap-server takes host:port, not ${server}`);
  try {
    const [apiVersions, metadata] = await ask(at, timeoutMs, [apiVersionsQuestion, metadataQuestion]);
    const status = statusOf(server, metadata, apiVersions.apiKeys.length);
    const text = json
      ? JSON.stringify({ running: true, pid: pid ?? null, ...status })
      : statusText(status, pid);
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    const reason = (error as Error).message || String((error as NodeJS.ErrnoException).code);
    const text = json
      ? JSON.stringify({
          running: false,
          starting: isStarting,
          pid: pid ?? null,
          bootstrapServer: server,
          reason,
        })
      : isStarting
        ? `process ${pid} is starting and serves nobody yet`
        : `${server} does not answer: ${reason}`;
    (json ? process.stdout : process.stderr).write(`${text}\n`);
    return 1;
  }
}

const apiVersionsQuestion = question(
  { apiKey: 18, request: ApiVersionsRequest, response: ApiVersionsResponse },
  0,
  defaults(ApiVersionsRequest, {}),
);

const metadataQuestion = question(
  { apiKey: 3, request: MetadataRequest, response: MetadataResponse },
  5,
  defaults(MetadataRequest, { topics: null, allowAutoTopicCreation: false }),
);

interface LocalNode {
  readonly server: string;
  readonly pid: number | undefined;
  readonly isStarting: boolean;
}

/** Where the node that these options describe can be asked: where it says so itself, else where it would listen. */
function localNode(options: NodeOptions): LocalNode {
  const config = loadConfig(options);
  const running = runningNode(runFilePath(config, options.memory));
  const first = running?.bootstrapServers.split(',')[0];
  if (running !== undefined && first !== undefined && first !== '')
    return { server: first, pid: running.pid, isStarting: false };
  const listener = config.listeners.find(({ advertised }) => advertised !== undefined);
  const host = listener?.host ?? 'localhost';
  const server = `${host.includes(':') ? `[${host}]` : host}:${listener?.port ?? 9092}`;
  return { server, pid: running?.pid, isStarting: running !== undefined };
}
