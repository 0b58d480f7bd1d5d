/** Adds to a list that mostly stays alone: an array that grows from nothing takes room for seventeen. */
export function added<T>(list: T[] | undefined, one: T): T[] {
  if (list === undefined) return [one];
  list.push(one);
  return list;
}
