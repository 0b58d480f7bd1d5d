/** Record batches of format 2. `import * as batch from '.../header.ts'` where only the header matters. */
export * from './builder.ts';
export * from './control.ts';
export * from './header.ts';
export * from './records.ts';
export * from './walk.ts';
