import { type Infer, message } from '../schema.ts';

/** Nothing; keeps the metadata log moving, so that followers can be seen to lag. */
export const NoOpRecord = message({ name: 'NoOpRecord', apiKey: 20, versions: [0, 0], flexible: 0 }, {});
export type NoOpRecord = Infer<typeof NoOpRecord>;
