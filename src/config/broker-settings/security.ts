import { range } from '../checks.ts';
import { className, int, long, password, string } from '../definition.ts';

/** Who may do what, and who a connection is. */
export const securitySettings = {
  'authorizer.class.name': string('', {
    doc: 'The Java class that decides who may do what. Access rules are not enforced yet, whatever stands here.',
  }),
  'connection.failed.authentication.delay.ms': int(100, {
    check: range(0),
    doc: 'How long the answer to a failed authentication is held back.',
  }),
  'connections.max.reauth.ms': long(0, {
    doc: 'Longest life of a SASL session before the client must authenticate again; 0: unlimited.',
  }),
  'delegation.token.expiry.check.interval.ms': long(3600000, {
    check: range(1),
    doc: 'How often expired delegation tokens are removed.',
  }),
  'delegation.token.expiry.time.ms': long(86400000, {
    check: range(1),
    doc: 'How long a delegation token lives unless it is renewed.',
  }),
  'delegation.token.max.lifetime.ms': long(604800000, {
    check: range(1),
    doc: "Age beyond which a delegation token can't be renewed.",
  }),
  'delegation.token.secret.key': password({
    doc: 'The secret that delegation tokens are made and checked with, equal on all nodes.',
  }),
  'principal.builder.class': className(
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
    {
      dynamic: 'per-broker',
      doc: "The Java class that makes a principal of a connection. Java classes can't be loaded here.",
    },
  ),
  'security.providers': string(null, { doc: "Java security providers. Java classes can't be loaded here." }),
} as const;
