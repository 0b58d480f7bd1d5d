/** What a connection may hold at most, and what happens there. */

/** Frames up to this size are copied once into a slab that many share; larger ones get a pooled buffer of their own. */
export const SMALL_FRAME_BYTES_MAX = 32 * 1024;

/** Small frames share slabs of this size. */
export const FRAME_SLAB_BYTES = 128 * 1024;

/** A large frame starts with at most this much memory and doubles as its bytes arrive. */
export const FRAME_FIRST_STEP_BYTES = 1024 * 1024 + 16 * 1024;

/** The direct-read target offered to a link is never longer: larger reads are slower, not faster. */
export const READ_BYTES_MAX = 64 * 1024;

/** Requests of one connection that are started and not yet sent; at the limit the link is paused. */
export const REQUESTS_IN_FLIGHT_MAX = 128;

/** Answer bytes of one connection that wait for an earlier answer or for the peer; at the limit the link is paused. */
export const QUEUED_ANSWER_BYTES_MAX = 1024 * 1024;

/** Answers up to this size are joined into one buffer before they are sent. */
export const JOINED_ANSWER_BYTES_MAX = 64 * 1024;

/** How often connections are looked at for `connections.max.idle.ms`, at most. */
export const IDLE_SWEEP_MS_MAX = 30_000;

/** How long `stop` waits for answers that are under way before it drops the connections. */
export const DRAIN_MS_MAX = 5_000;
