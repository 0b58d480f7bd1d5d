import { serveBackground } from '../../../src/io/background-worker.ts';
import { copying, dying, failing, patient, prepared, summing } from './background-jobs.ts';

serveBackground([summing, copying, failing, prepared, patient, dying]);
