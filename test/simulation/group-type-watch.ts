import type { MigrationPolicy } from './group-member.ts';

const UPGRADING: readonly MigrationPolicy[] = ['bidirectional', 'upgrade'];
const DOWNGRADING: readonly MigrationPolicy[] = ['bidirectional', 'downgrade'];

interface Look {
  readonly number: number;
  readonly type: string;
  readonly members: ReadonlySet<object>;
}

/** What became of a group since the last look. */
interface Seen {
  readonly hasBegunAnew: boolean;
  readonly wrong: string | undefined;
}

const AS_IT_WAS: Seen = { hasBegunAnew: false, wrong: undefined };

/** Looks whether a group turns from one protocol to the other only where a policy of that time lets it. */
export class GroupTypeWatch {
  /** The number of the first look of each policy. */
  readonly #policies: { readonly policy: MigrationPolicy; readonly since: number }[] = [];
  #last: Look | undefined;
  #looks = 0;

  /** Whoever coordinates from now on has this policy. */
  policyIs(policy: MigrationPolicy): void {
    this.#policies.push({ policy, since: this.#looks });
  }

  /** Somebody asks now for the type of the group, while these are members. What is returned takes the answer. */
  look(members: ReadonlySet<object>): (type: string) => Seen {
    const number = ++this.#looks;
    return (type) => {
      const last = this.#last;
      if (last !== undefined && last.number > number) return AS_IT_WAS;
      this.#last = { number, type, members };
      if (last === undefined || last.type === type) return AS_IT_WAS;
      // Without somebody who was there all the time it is another group.
      if (!overlap(last.members, members)) return { hasBegunAnew: true, wrong: undefined };
      const policies = this.#between(last.number, number);
      const allowed = type === 'consumer' ? UPGRADING : DOWNGRADING;
      if (policies.some((policy) => allowed.includes(policy))) return AS_IT_WAS;
      const told = policies.join(', then ');
      return { hasBegunAnew: false, wrong: `the group became a ${type} group, and the policy is ${told}` };
    };
  }

  #between(first: number, last: number): MigrationPolicy[] {
    return this.#policies
      .filter(({ since }, at) => since <= last && (this.#policies[at + 1]?.since ?? last) >= first)
      .map(({ policy }) => policy);
  }
}

function overlap(some: ReadonlySet<object>, others: ReadonlySet<object>): boolean {
  for (const one of some) if (others.has(one)) return true;
  return false;
}
