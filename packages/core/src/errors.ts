/**
 * The kinds of wrong. These are the only error classes of the house.
 *
 * `ProtocolError`: the other party sent something wrong; travels to it, by a table from code to status.
 * `VerificationError`: a credential, a presentation, a key or a retrieval failed a check; mapped before it
 * travels. `TypeError` with a `code`: our caller's bug or a wrong configuration, thrown while building.
 * Anything else is a fault: nobody catches it on the way, the edge logs it and answers `server_error`.
 *
 * @module
 */
import type { JsonObject } from './json.js'

/** What a {@link ProtocolError} may carry beside code and description. */
export interface ProtocolErrorOptions {
  /** What led here; for the log, never for the other party. */
  readonly cause?: unknown
  /** Header fields of the answer, for example `DPoP-Nonce` or `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Body members that the standard defines beside `error`, for example `auth_session`. */
  readonly members?: JsonObject
}

/**
 * The other party sent something wrong.
 *
 * The description is one sentence with the next step, in printable ASCII without double quote and
 * backslash, and never contains a token, a claim value or a key (RFC 6749, section 5.2).
 */
export class ProtocolError extends Error {
  /** The standard's error code. */
  readonly code: string
  /** Header fields of the answer. */
  readonly headers: Readonly<Record<string, string>>
  /** Further body members of the answer. */
  readonly members: JsonObject

  constructor(code: string, description: string, options: ProtocolErrorOptions = {}) {
    super(description, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'ProtocolError'
    this.code = code
    this.headers = options.headers ?? {}
    this.members = options.members ?? {}
  }
}

/** A check failed: which one is in the code, which is stable. */
export class VerificationError extends Error {
  /** Our own stable code of the check that failed. */
  readonly code: string

  constructor(code: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'VerificationError'
    this.code = code
  }
}

/** A caller's bug or a wrong configuration. */
export type ConfigurationError = TypeError & { readonly code: string }

/**
 * Makes the error for a caller's bug or a wrong configuration: a `TypeError` with a stable code.
 *
 * Thrown while a thing is being built, never on a request.
 */
export function configurationError(code: string, message: string): ConfigurationError {
  return Object.assign(new TypeError(message), { code })
}
