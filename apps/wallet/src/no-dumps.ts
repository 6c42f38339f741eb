/**
 * Nothing of this process's memory is written to disk: no diagnostic report, no heap snapshot.
 *
 * A core dump is the system's to forbid (`LimitCORE=0` in the unit, see the README); what Node itself would
 * write is forbidden here.
 *
 * Source: threat model, row 16.
 *
 * @module
 */
import { startUpError } from '@attache/daemon'

const DUMPING_FLAGS = [
  '--heapsnapshot-signal',
  '--heapsnapshot-near-heap-limit',
  '--heap-prof',
  '--cpu-prof',
  '--inspect',
]

/**
 * Switches diagnostic reports off.
 *
 * @throws {TypeError} `memory_exposed`: Node was started with a flag that writes memory, or opens it to a debugger.
 */
export function forbidDumps(flags: readonly string[]): void {
  const flag = flags.find((given) => DUMPING_FLAGS.some((known) => given.startsWith(known)))
  if (flag !== undefined) {
    throw startUpError(
      'memory_exposed',
      `The wallet does not start with ${flag}: it would expose keys. Remove the flag.`,
    )
  }
  if (process.report === undefined) return
  process.report.reportOnFatalError = false
  process.report.reportOnSignal = false
  process.report.reportOnUncaughtException = false
}
