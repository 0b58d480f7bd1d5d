// The entry of background threads: all jobs that the broker may give them.
import { serveBackground } from '../io/background-worker.ts';
import { cleanLog } from '../log/cleaner/clean-log.ts';
import { convertSegment } from '../log/old-segments.ts';
import { recoverLogs } from '../log/recovery-job.ts';

serveBackground([recoverLogs, cleanLog, convertSegment]);
