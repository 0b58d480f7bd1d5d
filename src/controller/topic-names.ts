const MAX_LENGTH = 249;
export const CLUSTER_METADATA_TOPIC = '__cluster_metadata';

/** Why a topic can't have this name, as a sentence; undefined where it can. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'A topic needs a name.';
  if (name === '.' || name === '..') return `A topic can't be called '${name}'.`;
  if (name.length > MAX_LENGTH) {
    return `The topic's name has ${name.length} characters; it may have ${MAX_LENGTH}.`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `The topic's name '${name}' may have only the letters a-z and A-Z, digits, '.', '_' and '-'.`;
  }
  return undefined;
}

/** Topics whose names differ only in `.` and `_`: their metrics would have one name, so that only one may exist. */
export class CollidingNames {
  readonly #names = new Map<string, string>();

  add(name: string): void {
    if (/[._]/.test(name)) this.#names.set(unified(name), name);
  }

  remove(name: string): void {
    if (this.#names.get(unified(name)) === name) this.#names.delete(unified(name));
  }

  /** The topic that is there and collides with `name`, maybe `name` itself. */
  of(name: string): string | undefined {
    return /[._]/.test(name) ? this.#names.get(unified(name)) : undefined;
  }
}

const unified = (name: string) => name.replaceAll('.', '_');
