/**
 * Who approves in the authorization code flow.
 *
 * Owns the port only. The server's operator login is one way to sign in, an upstream OpenID Provider another.
 *
 * Source: OpenID4VCI 1.0, section 5 (authentication of the End-User is out of its scope).
 *
 * @module
 */
import type { NumericDate } from '@attache/core'

/** Somebody who signed in. */
export interface SignedInPerson {
  /** Shown on the consent page, and written into the log. */
  readonly name: string
  /** Agents this person may receive credentials for. */
  readonly agents: readonly string[]
}

/** Checks a name and a password. */
export interface SignIn {
  /** The person, or undefined: the two do not fit. Takes the same time either way. */
  signIn(facts: {
    readonly username: string
    readonly password: string
    readonly now: NumericDate
  }): Promise<SignedInPerson | undefined>
}
