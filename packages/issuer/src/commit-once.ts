/**
 * One commit that spends what may be used once, together with what it buys.
 *
 * Owns the order of blame: when a commit does not go through, a guard that was already spent gives the
 * refusal; otherwise somebody moved meanwhile and the caller looks again. Nothing is written unless all is.
 *
 * Source: the house design, section Ports.
 *
 * @module
 */
import type { ProtocolError, Store, StoreStep } from '@attache/core'

/** Something that may be used once, and what is said to whoever comes second. */
export interface Guard {
  readonly step: Extract<StoreStep, { op: 'putIfAbsent' }>
  readonly refusal: () => ProtocolError
}

/**
 * Commits the guards and the steps.
 *
 * @returns False when a step's own condition did not hold; nothing was written then.
 * @throws {ProtocolError} The refusal of a guard that was spent before.
 */
export async function commitOnce(
  store: Pick<Store, 'commit' | 'get'>,
  guards: readonly Guard[],
  steps: readonly StoreStep[],
): Promise<boolean> {
  if (await store.commit([...guards.map((guard) => guard.step), ...steps])) return true
  for (const guard of guards) {
    if ((await store.get(guard.step.key)) !== undefined) throw guard.refusal()
  }
  return false
}
