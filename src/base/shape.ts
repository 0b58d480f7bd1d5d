/** V8 looks at so many instances of a class, at most, before it settles how large they are. */
const LOOKED_AT = 8;

const kept: object[] = [];

/**
 * Has V8 learn the shape of a class whose instances come and go, before the first is needed. It settles their size with
 * the first seven, and forgets what it learned where it frees memory of an idle process while none of them lives. Then it
 * takes the class for one without fields, and instances whose 16th field or a later one is private are hash tables for as
 * long as the process runs (measured on Node 20: 1.2 µs for each instead of 0.06, and all code that touches them is slow).
 * One instance is kept, so that no later collection throws the shape away. Classes of fewer fields need none of this.
 *
 * To be called in a static block of the class. `make` has no effect but the instance, which nobody will use.
 */
export function keepShape(make: () => object): void {
  const made: object[] = [];
  while (made.length < LOOKED_AT) made.push(make());
  kept.push(made[0] as object);
}
