/**
 * Server nonces and attestation challenges: texts a server hands out and later recognises, without storing them.
 *
 * Owns both: they differ in purpose only. A text opens only at the server and for the use it was made for,
 * and until it expires, so the current and the previous one both work and nothing is written when one is
 * handed out. Single use is the caller's store step, after every other check.
 *
 * Source: RFC 9449, sections 8 and 8.1; attestation-based client authentication -11, sections 6 and 12.1.
 *
 * @module
 */
import {
  configurationError,
  isJsonObject,
  member,
  type NumericDate,
  type Random,
  randomText,
} from '@attache/core'
import type { Seal } from '@attache/keys'

/** What a nonce is for; one made for another use does not open. */
export type ServerNonceUse = 'dpop-nonce' | 'attestation-challenge'

/** A nonce that opened. */
export interface OpenedNonce {
  /** 128 random bits, base64url; what a single-use step is keyed by. */
  readonly id: string
  readonly expiresAt: NumericDate
}

/** Hands out nonces and recognises them. */
export interface ServerNonces {
  /** A new nonce: visible ASCII without quote and backslash, as a header field and a JWT claim carry it. */
  issue(now: NumericDate): string
  /** Nothing when the text is foreign, changed or expired. */
  open(text: string, now: NumericDate): OpenedNonce | undefined
}

const MAX_LIFETIME_SECONDS = 300

/**
 * Creates the nonces of one server and one use.
 *
 * @param options.server Issuer identifier or resource identifier; nonces of two servers never mix.
 * @param options.lifetimeSeconds How long a nonce is accepted. @default 300
 * @throws {TypeError} `nonce_lifetime` when the lifetime is not between 1 and 300 seconds.
 *
 * Source: RFC 9449, sections 8, 8.1 and 9.
 */
export function createServerNonces(
  options: { readonly use: ServerNonceUse; readonly server: string; readonly lifetimeSeconds?: number },
  deps: { readonly seal: Seal; readonly random: Random },
): ServerNonces {
  const lifetime = options.lifetimeSeconds ?? MAX_LIFETIME_SECONDS
  if (!(lifetime >= 1 && lifetime <= MAX_LIFETIME_SECONDS)) {
    throw configurationError('nonce_lifetime', 'A nonce lives between 1 and 300 seconds.')
  }
  const purpose = `${options.use} ${options.server}`
  return {
    issue(now) {
      const expiresAt = now + lifetime
      return deps.seal.seal({ id: randomText(deps.random, 16), expiresAt }, { purpose, expiresAt })
    },
    open(text, now) {
      const content = deps.seal.open(text, { purpose, now })
      if (!isJsonObject(content)) return undefined
      const id = member(content, 'id')
      const expiresAt = member(content, 'expiresAt')
      return typeof id === 'string' && typeof expiresAt === 'number' ? { id, expiresAt } : undefined
    },
  }
}
