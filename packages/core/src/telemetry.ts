/**
 * The telemetry port: what a room reports about its work, in names and numbers.
 *
 * Owns the words; a host turns them into metrics and spans, or keeps nothing. Labels are names of which there are
 * few: an operation, an outcome, a stable code, an agent. Never a claim value, a token, a code of a protocol, a
 * key or an address somebody else chose: a label travels to more places than a log line.
 *
 * @module
 */

/** Names beside a number. */
export type TelemetryLabels = Readonly<Record<string, string>>

/** Where work is reported. No verb ever throws or rejects by itself. */
export interface Telemetry {
  /** Something happened once more. */
  count(name: string, labels: TelemetryLabels): void
  /** How much of something there is now. */
  gauge(name: string, labels: TelemetryLabels, value: number): void
  /**
   * Does work as one operation, whose time is measured.
   *
   * @param labels Known before.
   * @param work Is handed `note`, for labels that are known after; `outcome` is `fault` when it rejects.
   */
  operation<T>(
    name: string,
    labels: TelemetryLabels,
    work: (note: (labels: TelemetryLabels) => void) => Promise<T>,
  ): Promise<T>
}

/** Keeps nothing. */
export const SILENT_TELEMETRY: Telemetry = {
  count: () => {},
  gauge: () => {},
  operation: (_name, _labels, work) => work(() => {}),
}
