import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { JavaTools } from './tools.ts';

/** What kafka-dump-log says when it does not like a file, but for the start of a segment, which it never does. */
const COMPLAINT =
  /mismatch|invalid bytes|isvalid: false|followed by|out of order|exception|error|corrupt|unknown record|not found/i;

/** The dump tool of Apache Kafka finds nothing wrong in any file of these folders. */
export async function expectSound(
  tools: JavaTools,
  dataDir: string,
  folders: readonly string[],
): Promise<void> {
  for (const folder of folders) {
    for (const name of readdirSync(join(dataDir, folder))) {
      if (!/^\d{20}\.(log|index|timeindex|snapshot)$/.test(name)) continue;
      const flags = name.endsWith('.log') ? ['--deep-iteration'] : [];
      const file = join(dataDir, folder, name);
      const printed = await tools.run('kafka-dump-log', ['--files', file, ...flags]);
      const said = `${printed.stdout}\n${printed.stderr}`.split('\n').filter((line) => COMPLAINT.test(line));
      const complaints = said.filter((line) => !/^-?\d+ is followed by \d+$/.test(line.trim()));
      expect({ file: `${folder}/${name}`, code: printed.code, complaints }).toEqual({
        file: `${folder}/${name}`,
        code: 0,
        complaints: [],
      });
    }
  }
}
