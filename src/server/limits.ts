/** What a connection may hold at most, and what happens there. */

/** Frames up to this size are copied once into a slab that many share; larger ones get a pooled buffer of their own. */
export const SMALL_FRAME_BYTES_MAX = 32 * 1024;

/** Small frames share slabs of this size. */
export const FRAME_SLAB_BYTES = 128 * 1024;

/** A frame of which less has arrived holds at most four times what has arrived, or 1 KiB. */
export const FRAME_PROOF_BYTES = 16 * 1024;

/** Beyond {@link FRAME_PROOF_BYTES} a frame gets at most this much memory, and doubles it as its bytes arrive. */
export const FRAME_FIRST_STEP_BYTES = 1024 * 1024 + 16 * 1024;

/** Memory of a node for requests where queued.max.request.bytes does not say; beyond it large ones wait unread. */
export const REQUEST_BYTES_MAX = 96 * 1024 * 1024;

/** Frames that hold no more never wait for memory: they live on the share kept for them. */
export const UNQUEUED_FRAME_BYTES_MAX = 64 * 1024;

/**
 * The share of small requests is a quarter of the memory for requests within these bounds. Where it is used up,
 * connections with requests under way are not read until these are done; at twice the share connections are closed
 * whose requests can neither be handled nor left with the peer. Large requests that wait for their first memory are
 * bounded so too: by the share, or by twice the share for those that need no more than what they are given at first.
 */
export const RESERVED_REQUEST_BYTES_MIN = 1024 * 1024;
export const RESERVED_REQUEST_BYTES_MAX = 32 * 1024 * 1024;

/** A frame of which no byte arrives for so long is closed with its connection. */
export const FRAME_STALL_MS_MAX = 30_000;

/** A frame that waits unread for memory, or holds it unread while others wait, is closed after so long. */
export const FRAME_WAIT_MS_MAX = 30_000;

/**
 * While frames wait for memory, of each one that is read so many bytes must arrive in {@link FRAME_PACE_MS}, or a 64th
 * of what it holds: nobody keeps others out by trickling.
 */
export const FRAME_PACE_BYTES_MIN = 16 * 1024;
export const FRAME_PACE_MS = 5_000;

/** How often incomplete frames are looked at, while there are any. */
export const FRAME_SWEEP_MS = 1_000;

/** The direct-read target offered to a link is never longer: larger reads are slower, not faster. */
export const READ_BYTES_MAX = 64 * 1024;

/** Requests of one connection that are started and not yet sent; at the limit the link is paused. */
export const REQUESTS_IN_FLIGHT_MAX = 128;

/** Answer bytes of one connection that wait for an earlier answer or for the peer; at the limit the link is paused. */
export const QUEUED_ANSWER_BYTES_MAX = 1024 * 1024;

/** Memory of a node for answers that are not yet with their peers; a fetch reads no more than what is left of it. */
export const ANSWER_BYTES_PRESSED = 48 * 1024 * 1024;

/** Where more than {@link ANSWER_BYTES_PRESSED} is in use, a fetch still gets so much, or its first batch. */
export const FETCH_ROOM_MIN = 64 * 1024;

/** Beyond it fetches read what the broker holds in memory anyway; others wait as at the end of the log. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * While {@link ANSWER_BYTES_PRESSED} is in use, a peer must take so many bytes in {@link ANSWER_PACE_MS}, or a 64th of
 * what waits for it. Otherwise one that does not read stays until `connections.max.idle.ms`, as at Apache Kafka. While
 * frames wait for memory, a large request may wait as long, whole, for an earlier one of its own connection.
 */
export const ANSWER_PACE_BYTES_MIN = 16 * 1024;
export const ANSWER_PACE_MS = 5_000;

/** Answers up to this size are joined into one buffer before they are sent. */
export const JOINED_ANSWER_BYTES_MAX = 64 * 1024;

/** Connections of one listener that wait to be let in; more are refused with a warning. */
export const CONNECTIONS_WAITING_MAX = 1024;

/** A connection that waited so long is refused: its client has given up. */
export const CONNECTION_WAIT_MS_MAX = 60_000;

/** The warning about refused connections comes once in so long, with their number. */
export const REFUSAL_WARNING_MS = 10_000;

/** Of connections that may be made in so many seconds, all may come at once; the window of Apache Kafka's quotas. */
export const CREATION_BURST_SECONDS = 10;

/** `max.connection.creation.rate` holds one connection up for so long at most, as in Apache Kafka. */
export const CREATION_DELAY_MS_MAX = 1_000;

/** How often connections are looked at for `connections.max.idle.ms` and `max.connections`, at least. */
export const CONNECTION_SWEEP_MS_MAX = 30_000;

/** How long `stop` waits for answers that are under way before it drops the connections. */
export const DRAIN_MS_MAX = 5_000;
