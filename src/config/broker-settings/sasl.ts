import { listRules, oneOfIgnoringCase, range } from '../checks.ts';
import { boolean, className, double, int, list, long, password, short, string } from '../definition.ts';

/** SASL. */
export const saslSettings = {
  'sasl.client.callback.handler.class': className(null, {
    doc: "A Java callback class for SASL clients. Java classes can't be loaded here.",
  }),
  'sasl.enabled.mechanisms': list('GSSAPI', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'per-broker',
    doc: 'The SASL mechanisms that clients may use.',
  }),
  'sasl.jaas.config': password({
    dynamic: 'per-broker',
    doc: 'The login module and its options, in JAAS grammar.',
  }),
  'sasl.kerberos.kinit.cmd': string('/usr/bin/kinit', {
    dynamic: 'per-broker',
    doc: "Path of Kerberos' kinit.",
  }),
  'sasl.kerberos.min.time.before.relogin': long(60000, {
    dynamic: 'per-broker',
    doc: 'Shortest time between two Kerberos logins.',
  }),
  'sasl.kerberos.principal.to.local.rules': list('DEFAULT', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'per-broker',
    doc: 'Rules that make short names of Kerberos principals.',
  }),
  'sasl.kerberos.service.name': string(null, {
    dynamic: 'per-broker',
    doc: 'The Kerberos name that Kafka runs as.',
  }),
  'sasl.kerberos.ticket.renew.jitter': double('0.05', {
    dynamic: 'per-broker',
    doc: 'Random share added to the renewal time of a ticket.',
  }),
  'sasl.kerberos.ticket.renew.window.factor': double('0.8', {
    dynamic: 'per-broker',
    doc: "Share of a ticket's life after which it is renewed.",
  }),
  'sasl.login.callback.handler.class': className(null, {
    doc: "A Java callback class for logins. Java classes can't be loaded here.",
  }),
  'sasl.login.class': className(null, { doc: "A Java login class. Java classes can't be loaded here." }),
  'sasl.login.connect.timeout.ms': int(null, { doc: 'Connect timeout to an OAuth provider.' }),
  'sasl.login.read.timeout.ms': int(null, { doc: 'Read timeout of an OAuth provider.' }),
  'sasl.login.refresh.buffer.seconds': short(300, {
    dynamic: 'per-broker',
    doc: 'Time before its expiry at which a credential must have been refreshed.',
  }),
  'sasl.login.refresh.min.period.seconds': short(60, {
    dynamic: 'per-broker',
    doc: 'Shortest time between two refreshes of a credential.',
  }),
  'sasl.login.refresh.window.factor': double('0.8', {
    dynamic: 'per-broker',
    doc: "Share of a credential's life after which it is refreshed.",
  }),
  'sasl.login.refresh.window.jitter': double('0.05', {
    dynamic: 'per-broker',
    doc: 'Random share added to that time.',
  }),
  'sasl.login.retry.backoff.max.ms': long(10000, {
    doc: 'Longest wait between two tries to reach an OAuth provider.',
  }),
  'sasl.login.retry.backoff.ms': long(100, {
    doc: 'First wait between two tries to reach an OAuth provider.',
  }),
  'sasl.mechanism.controller.protocol': string('GSSAPI', { doc: 'SASL mechanism towards controllers.' }),
  'sasl.mechanism.inter.broker.protocol': string('GSSAPI', {
    dynamic: 'per-broker',
    doc: 'SASL mechanism between brokers.',
  }),
  'sasl.oauthbearer.allow.unverified.audience': boolean(false, {
    doc: 'Whether a token is taken without looking at its audience.',
  }),
  'sasl.oauthbearer.allow.unverified.issuer': boolean(false, {
    doc: 'Whether a token is taken without looking at its issuer.',
  }),
  'sasl.oauthbearer.assertion.algorithm': string('RS256', {
    check: oneOfIgnoringCase('ES256', 'RS256'),
    doc: 'Algorithm that a client assertion is signed with.',
  }),
  'sasl.oauthbearer.assertion.claim.aud': string(null, { doc: 'Audience of a client assertion.' }),
  'sasl.oauthbearer.assertion.claim.exp.seconds': int(300, {
    check: range(0, 86400),
    doc: 'Life of a client assertion in seconds.',
  }),
  'sasl.oauthbearer.assertion.claim.iss': string(null, { doc: 'Issuer of a client assertion.' }),
  'sasl.oauthbearer.assertion.claim.jti.include': boolean(false, {
    doc: 'Whether a client assertion carries an id of its own.',
  }),
  'sasl.oauthbearer.assertion.claim.nbf.seconds': int(60, {
    check: range(0, 3600),
    doc: 'How many seconds before now a client assertion begins to be valid.',
  }),
  'sasl.oauthbearer.assertion.claim.sub': string(null, { doc: 'Subject of a client assertion.' }),
  'sasl.oauthbearer.assertion.file': string(null, { doc: 'File with a ready client assertion.' }),
  'sasl.oauthbearer.assertion.private.key.file': string(null, {
    doc: 'File with the key that signs client assertions.',
  }),
  'sasl.oauthbearer.assertion.private.key.passphrase': password({ doc: 'Passphrase of that key.' }),
  'sasl.oauthbearer.assertion.template.file': string(null, {
    doc: 'File with headers and claims for client assertions.',
  }),
  'sasl.oauthbearer.client.credentials.client.id': string(null, {
    doc: 'Client id for the OAuth client credentials grant.',
  }),
  'sasl.oauthbearer.client.credentials.client.secret': password({
    doc: 'Client secret for the OAuth client credentials grant.',
  }),
  'sasl.oauthbearer.clock.skew.seconds': int(30, {
    doc: 'Seconds by which clocks of broker and OAuth provider may differ.',
  }),
  'sasl.oauthbearer.expected.audience': list('', {
    check: listRules({ emptyAllowed: true }),
    doc: 'Audiences of which a token must carry one.',
  }),
  'sasl.oauthbearer.expected.issuer': string(null, { doc: 'Issuer that a token must carry.' }),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': long(3600000, {
    doc: "How often an OAuth provider's keys are fetched again.",
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': long(10000, {
    doc: 'Longest wait between two tries to fetch them.',
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': long(100, {
    doc: 'First wait between two tries to fetch them.',
  }),
  'sasl.oauthbearer.jwks.endpoint.url': string(null, { doc: "Where an OAuth provider's keys are fetched." }),
  'sasl.oauthbearer.jwt.retriever.class': className(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
    { doc: "The Java class that fetches tokens. Java classes can't be loaded here." },
  ),
  'sasl.oauthbearer.jwt.validator.class': className(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
    { doc: "The Java class that checks tokens. Java classes can't be loaded here." },
  ),
  'sasl.oauthbearer.scope': string(null, { doc: 'Scope asked for in a token.' }),
  'sasl.oauthbearer.scope.claim.name': string('scope', { doc: 'Name of the claim with the scope.' }),
  'sasl.oauthbearer.sub.claim.name': string('sub', { doc: 'Name of the claim with the subject.' }),
  'sasl.oauthbearer.token.endpoint.url': string(null, { doc: 'Where an OAuth provider gives tokens.' }),
  'sasl.server.callback.handler.class': className(null, {
    doc: "A Java callback class for SASL servers. Java classes can't be loaded here.",
  }),
  'sasl.server.max.receive.size': int(524288, {
    doc: 'Longest message that is taken before authentication is done.',
  }),
} as const;
