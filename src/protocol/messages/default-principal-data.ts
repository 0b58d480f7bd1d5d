import { bool, type Infer, message, string } from '../schema.ts';

/** Who sent a request, within Envelope (KIP-590). */
export const DefaultPrincipalData = message(
  { name: 'DefaultPrincipalData', versions: [0, 0], flexible: 0 },
  {
    type: string,
    name: string,
    tokenAuthenticated: bool,
  },
);
export type DefaultPrincipalData = Infer<typeof DefaultPrincipalData>;
