import type { Logger } from '../base/ports.ts';
import type { MetadataImage } from '../metadata/image.ts';

/** Says once of each kind of metadata that it is kept here, but has no effect yet. */
export class UnenforcedMetadata {
  readonly #logger: Logger;
  readonly #said = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** To be called at the start and whenever the image has changed. */
  look(image: MetadataImage): void {
    if (image.clientQuotas.size > 0)
      this.#say('client quotas are kept, but no client is slowed down by them yet');
    if (image.scramCredentials.size > 0)
      this.#say('SCRAM credentials are kept, but listeners do not authenticate clients yet');
    if (image.acls.size > 0)
      this.#say('ACLs of the cluster are kept, but there is no authorizer: all is allowed');
  }

  #say(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#logger.warn(text);
  }
}
