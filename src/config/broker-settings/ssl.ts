import { listRules, oneOf } from '../checks.ts';
import { boolean, className, list, password, string } from '../definition.ts';

/** TLS. */
export const sslSettings = {
  'ssl.allow.dn.changes': boolean(false, {
    doc: 'Whether a new certificate may carry another distinguished name.',
  }),
  'ssl.allow.san.changes': boolean(false, {
    doc: 'Whether a new certificate may lack alternative names of the old one.',
  }),
  'ssl.cipher.suites': list('', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'per-broker',
    doc: 'Cipher suites that may be used; all that the library offers where it is empty.',
  }),
  'ssl.client.auth': string('none', {
    check: oneOf('required', 'requested', 'none'),
    dynamic: 'per-broker',
    doc: 'Whether clients must, may or need not show a certificate.',
  }),
  'ssl.enabled.protocols': list('TLSv1.2,TLSv1.3', {
    check: listRules({ emptyAllowed: true }),
    dynamic: 'per-broker',
    doc: 'TLS versions that may be used.',
  }),
  'ssl.endpoint.identification.algorithm': string('https', {
    dynamic: 'per-broker',
    doc: "How a server's name is checked; empty: not at all.",
  }),
  'ssl.engine.factory.class': className(null, {
    dynamic: 'per-broker',
    doc: "A Java class that makes TLS engines. Java classes can't be loaded here.",
  }),
  'ssl.key.password': password({ dynamic: 'per-broker', doc: 'Password of the private key.' }),
  'ssl.keymanager.algorithm': string('SunX509', {
    dynamic: 'per-broker',
    doc: "Java's algorithm for key managers.",
  }),
  'ssl.keystore.certificate.chain': password({
    dynamic: 'per-broker',
    doc: 'The certificate chain itself, in PEM.',
  }),
  'ssl.keystore.key': password({ dynamic: 'per-broker', doc: 'The private key itself, in PEM.' }),
  'ssl.keystore.location': string(null, {
    dynamic: 'per-broker',
    doc: 'File with the private key and its certificates.',
  }),
  'ssl.keystore.password': password({ dynamic: 'per-broker', doc: 'Password of that file.' }),
  'ssl.keystore.type': string('JKS', {
    dynamic: 'per-broker',
    doc: 'Format of that file: JKS, PKCS12 or PEM.',
  }),
  'ssl.principal.mapping.rules': string('DEFAULT', {
    doc: 'Rules that make short names of certificate subjects.',
  }),
  'ssl.protocol': string('TLSv1.3', { dynamic: 'per-broker', doc: 'Newest TLS version to use.' }),
  'ssl.provider': string(null, { dynamic: 'per-broker', doc: "Java's provider for TLS." }),
  'ssl.secure.random.implementation': string(null, {
    dynamic: 'per-broker',
    doc: "Java's random generator for TLS.",
  }),
  'ssl.trustmanager.algorithm': string('PKIX', {
    dynamic: 'per-broker',
    doc: "Java's algorithm for trust managers.",
  }),
  'ssl.truststore.certificates': password({
    dynamic: 'per-broker',
    doc: 'The trusted certificates themselves, in PEM.',
  }),
  'ssl.truststore.location': string(null, {
    dynamic: 'per-broker',
    doc: 'File with the trusted certificates.',
  }),
  'ssl.truststore.password': password({ dynamic: 'per-broker', doc: 'Password of that file.' }),
  'ssl.truststore.type': string('JKS', {
    dynamic: 'per-broker',
    doc: 'Format of that file: JKS, PKCS12 or PEM.',
  }),
} as const;
