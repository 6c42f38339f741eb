/**
 * Who approves in the authorization code flow.
 *
 * Owns the port only. The server's operator login is one way to sign in, an upstream OpenID Provider another.
 *
 * Source: OpenID4VCI 1.0, section 5 (authentication of the End-User is out of its scope).
 *
 * @module
 */
import type { JsonObject, NumericDate } from '@attache/core'

/** Somebody who signed in. */
export interface SignedInPerson {
  /** Shown on the consent page, and written into the log. */
  readonly name: string
  /** Agents this person may receive credentials for. */
  readonly agents: readonly string[]
}

/** Checks a name and a password. */
export interface PasswordSignIn {
  /** The person, or undefined: the two do not fit. Takes the same time either way. */
  signIn(facts: {
    readonly username: string
    readonly password: string
    readonly now: NumericDate
  }): Promise<SignedInPerson | undefined>
}

/** Lets somebody else say who it is: the browser goes there and comes back. */
export interface UpstreamSignIn {
  /**
   * Where the browser goes, and what must be known when it comes back. That is kept sealed in the browser.
   *
   * @throws {ProtocolError} `temporarily_unavailable`.
   */
  begin(facts: {
    /** URL to come back to. */
    readonly callback: string
    readonly state: string
    readonly now: NumericDate
  }): Promise<{ readonly location: string; readonly kept: JsonObject }>
  /**
   * The person, or undefined: nobody whom this issuer knows.
   *
   * @throws {ProtocolError} `access_denied`: the sign-in failed over there, or its answer is not good.
   */
  complete(facts: {
    readonly callback: string
    readonly state: string
    /** What the browser brought back. */
    readonly answer: URLSearchParams
    readonly kept: JsonObject
    readonly now: NumericDate
  }): Promise<SignedInPerson | undefined>
}

/** A way to sign in. */
export type SignIn = PasswordSignIn | UpstreamSignIn

/** Whether the browser leaves for it. */
export function isUpstream(signIn: SignIn): signIn is UpstreamSignIn {
  return 'begin' in signIn
}
