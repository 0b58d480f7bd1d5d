/** What a consumer group may set for itself through its GROUP config resource. */
export interface GroupSettings {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Shortest time between two assignments. */
  readonly assignmentIntervalMs: number;
}
