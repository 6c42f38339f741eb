/**
 * Where the facts about a subject come from.
 *
 * Owns the port only. The directory of people and agents (`directory.ts`) is one source; a company's own
 * system is another.
 *
 * Source: OpenID4VCI 1.0, section 8.3 (a response holds one credential dataset).
 *
 * @module
 */
import type { JsonObject, NumericDate } from '@attache/core'

/** What is known about the subject of a credential, at the moment of issuance. */
export interface ClaimsSubject {
  /** Id of the agent the credential is for. */
  readonly agent: string
  /** Id of the person who answers for the agent. */
  readonly owner: string
  /** The facts templates refer to, such as `agent.name` and `owner.region`. */
  readonly facts: JsonObject
  /** From when on the facts no longer hold, such as a known last working day. */
  readonly until?: NumericDate | undefined
}

/** Knows subjects. */
export interface ClaimsSource {
  /** The subject, or undefined: there is none (any more), and nothing may be issued. */
  find(agent: string, now: NumericDate): Promise<ClaimsSubject | undefined>
}
