import { listRules, oneOf, range } from '../checks.ts';
import { int, list, long, string } from '../definition.ts';

/** Listeners, sockets, connections and what may wait in them. */
export const networkSettings = {
  'advertised.listeners': list(null, {
    check: listRules({ nullAllowed: true }),
    effective: true,
    doc: 'The addresses that clients are told to connect to, where they differ from listeners: a public name, a mapped port. A listener that is not named here is not advertised; 0.0.0.0 is refused.',
  }),
  'connections.max.idle.ms': long(600000, {
    effective: true,
    doc: 'A connection without a request for this long is closed; negative: never.',
  }),
  'early.start.listeners': list(null, {
    check: listRules({ emptyAllowed: true, nullAllowed: true }),
    doc: "Listeners that open before the broker is ready; the controller's own by default.",
  }),
  'fetch.max.bytes': int(57671680, {
    check: range(1024),
    effective: true,
    doc: 'Most bytes in the answer to one fetch; a single larger batch is still sent.',
  }),
  'inter.broker.listener.name': string(null, {
    effective: true,
    doc: 'The listener that brokers use among themselves. Not together with security.inter.broker.protocol.',
  }),
  'listener.security.protocol.map': string(
    'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    {
      dynamic: 'per-broker',
      effective: true,
      doc: 'Which security protocol each listener name stands for, as NAME:PROTOCOL.',
    },
  ),
  listeners: list('PLAINTEXT://:9092', {
    check: listRules({}),
    dynamic: 'per-broker',
    effective: true,
    doc: 'The addresses to listen on, as NAME://host:port. No host means all addresses, port 0 any free one.',
  }),
  'max.connection.creation.rate': int(2147483647, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'New connections a second, over all listeners or with a prefix for one. What comes faster waits to be served; ten seconds worth may come at once.',
  }),
  'max.connections': int(2147483647, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Connections at a time, over all listeners or with a prefix for one. More wait until one ends.',
  }),
  'max.connections.per.ip': int(2147483647, {
    check: range(0),
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Connections at a time from one address. More are closed.',
  }),
  'max.connections.per.ip.overrides': string('', {
    dynamic: 'cluster-wide',
    effective: true,
    doc: 'Other limits for some addresses, as address:number.',
  }),
  'max.incremental.fetch.session.cache.slots': int(1000, {
    check: range(0),
    effective: true,
    doc: 'Fetch sessions that are remembered (KIP-227).',
  }),
  'num.io.threads': int(8, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that handle requests in Kafka. One event loop does it here.',
  }),
  'num.network.threads': int(3, {
    check: range(1),
    dynamic: 'cluster-wide',
    doc: 'Threads that read and write sockets in Kafka. One event loop does it here.',
  }),
  'queued.max.request.bytes': long(-1, {
    effective: true,
    doc: 'Memory for requests from their first byte until they are handled; beyond it no more of them is read. -1 leaves it to the broker: 96 MiB.',
  }),
  'queued.max.requests': int(500, {
    check: range(1),
    doc: 'Requests that wait at a time before no more is read.',
  }),
  'request.timeout.ms': int(30000, {
    effective: true,
    doc: 'How long this node waits for the answer to a request of its own.',
  }),
  'security.inter.broker.protocol': string('PLAINTEXT', {
    check: oneOf('PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'),
    effective: true,
    doc: 'Security protocol between brokers, where inter.broker.listener.name is not given.',
  }),
  'socket.connection.setup.timeout.max.ms': long(30000, {
    doc: 'Longest wait for a connection to another node after several failures.',
  }),
  'socket.connection.setup.timeout.ms': long(10000, {
    doc: 'How long this node waits for a connection to another.',
  }),
  'socket.listen.backlog.size': int(50, {
    check: range(1),
    doc: 'Connections that may wait to be accepted.',
  }),
  'socket.receive.buffer.bytes': int(102400, {
    doc: 'Receive buffer of sockets; -1 leaves it to the system.',
  }),
  'socket.request.max.bytes': int(104857600, {
    check: range(1),
    effective: true,
    doc: 'Largest request that is taken.',
  }),
  'socket.send.buffer.bytes': int(102400, { doc: 'Send buffer of sockets; -1 leaves it to the system.' }),
} as const;
