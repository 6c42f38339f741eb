/**
 * KB-JWTs: a holder shows, for one verifier and one request, that it holds the key in `cnf`.
 *
 * Owns both halves: `createKeyBindingJwt` (wallet) and `verifyKeyBindingJwt` (verifier). Whether a nonce was
 * issued and not used before is the verifier's own store's to say.
 *
 * Source: RFC 9901, sections 4.3 and 7.3.
 *
 * @module
 */
import {
  configurationError,
  equalText,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  VerificationError,
} from '@attache/core'
import {
  checkTimes,
  digest,
  type HashAlgorithm,
  type JwsAlgorithm,
  type PublicJwk,
  parseJws,
  type Signer,
  signJws,
  verifyJws,
} from '@attache/keys'
import { refusal, type SdJwtErrorCode } from './errors.js'

/** What a wallet states in a KB-JWT. Audience and nonce come from a request it has validated. */
export interface KeyBindingStatement {
  /** The verifier's identifier, exactly as it must be compared. */
  readonly audience: string
  /** The nonce of the request, exactly as received. */
  readonly nonce: string
  /** Whole seconds; the time of presenting. */
  readonly issuedAt: NumericDate
  /** Members that a profile adds, for example `transaction_data_hashes`; none otherwise. */
  readonly members?: JsonObject
}

/** What a verifier demands of a KB-JWT. Nothing here has a default that could accept more. */
export interface KeyBindingExpectation {
  /** Identifiers of this verifier; one of them must equal `aud` byte for byte. */
  readonly audience: string | readonly string[]
  /** The nonce issued for this request. */
  readonly nonce: string
  /** Greatest age of `iat`, in seconds. */
  readonly maxAgeSeconds: number
}

/** A KB-JWT that held. */
export interface VerifiedKeyBinding {
  readonly audience: string
  readonly nonce: string
  readonly issuedAt: NumericDate
  /** The whole payload, for members that a profile defines. */
  readonly payload: JsonObject
}

const OWN_MEMBERS = ['iat', 'aud', 'nonce', 'sd_hash', 'exp', 'nbf', 'cnf', '_sd_hash']

/**
 * Signs a KB-JWT over an SD-JWT whose Disclosures are final.
 *
 * @param presented Everything up to and including the last tilde, in the order that will be sent.
 * @throws {TypeError} `key_binding_statement`: audience or nonce is empty, or `members` takes a name that
 *   the standard fills.
 *
 * Source: RFC 9901, sections 4.3 and 4.3.1.
 */
export async function createKeyBindingJwt(
  presented: string,
  statement: KeyBindingStatement & { readonly sdAlg: HashAlgorithm },
  signer: Signer,
): Promise<string> {
  const members = statement.members ?? {}
  if (statement.audience === '' || statement.nonce === '') {
    throw configurationError('key_binding_statement', 'A KB-JWT needs the audience and nonce of a request.')
  }
  if (OWN_MEMBERS.some((name) => Object.hasOwn(members, name))) {
    throw configurationError('key_binding_statement', 'Further KB-JWT members must not take a standard name.')
  }
  const payload = {
    ...members,
    iat: statement.issuedAt,
    aud: statement.audience,
    nonce: statement.nonce,
    sd_hash: digest(statement.sdAlg, presented),
  }
  return signJws({ header: { typ: 'kb+jwt' }, payload }, signer)
}

/** What {@link verifyKeyBindingJwt} compares with. */
export interface KeyBindingFacts {
  readonly expected: KeyBindingExpectation
  /** Everything up to and including the last tilde, as received. */
  readonly presented: string
  readonly sdAlg: HashAlgorithm
  /** The key in the credential's `cnf`; no other key counts. */
  readonly holderKey: PublicJwk
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
  readonly toleranceSeconds: number
  readonly maxBytes: number
}

/**
 * Verifies a KB-JWT, in the order of the standard.
 *
 * @throws {VerificationError} A `key_binding_*` code.
 *
 * Source: RFC 9901, section 7.3, step 5.
 */
export function verifyKeyBindingJwt(text: string, facts: KeyBindingFacts): VerifiedKeyBinding {
  const { expected } = facts
  const payload = verifySignedPart(text, facts)
  const issuedAt = freshIssuedAt(payload, facts)

  const audience = member(payload, 'aud')
  const audiences = typeof expected.audience === 'string' ? [expected.audience] : expected.audience
  if (typeof audience !== 'string' || !audiences.includes(audience)) {
    throw refusal('key_binding_audience_mismatch')
  }
  const nonce = member(payload, 'nonce')
  if (typeof nonce !== 'string' || !equalText(nonce, expected.nonce))
    throw refusal('key_binding_nonce_mismatch')

  const sdHash = member(payload, 'sd_hash')
  if (typeof sdHash !== 'string' || !equalText(sdHash, digest(facts.sdAlg, facts.presented))) {
    throw refusal('key_binding_hash_mismatch')
  }
  return { audience, nonce, issuedAt, payload }
}

// The checks of keys speak of any JWT; here the reader must learn which of the two JWTs failed.
const KEY_BINDING_CODES: ReadonlyMap<string, SdJwtErrorCode> = new Map([
  ['jws_malformed', 'key_binding_malformed'],
  ['jws_too_large', 'key_binding_malformed'],
  ['jws_typ', 'key_binding_type'],
  ['jws_algorithm', 'key_binding_algorithm'],
  ['jws_key_mismatch', 'key_binding_algorithm'],
  ['jws_crit', 'key_binding_crit'],
  ['jws_signature', 'key_binding_signature'],
  ['jwt_expired', 'key_binding_times'],
  ['jwt_not_yet_valid', 'key_binding_times'],
  ['jwt_issued_in_future', 'key_binding_times'],
  ['jwt_time_malformed', 'key_binding_times'],
])

function asKeyBinding<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    const code = cause instanceof VerificationError ? KEY_BINDING_CODES.get(cause.code) : undefined
    if (code === undefined) throw cause
    throw refusal(code, cause)
  }
}

function verifySignedPart(text: string, facts: KeyBindingFacts): JsonObject {
  return asKeyBinding(() => {
    const jws = parseJws(text, { maxBytes: facts.maxBytes, maxDepth: 16 })
    if (!isJsonObject(jws.payload)) throw refusal('key_binding_malformed')
    verifyJws(jws, { typ: 'kb+jwt', algorithms: facts.algorithms, key: facts.holderKey })
    checkTimes(jws.payload, facts.now, facts.toleranceSeconds)
    return jws.payload
  })
}

function freshIssuedAt(payload: JsonObject, facts: KeyBindingFacts): NumericDate {
  const issuedAt = member(payload, 'iat')
  // In the future is refused by checkTimes already; absence is not.
  if (typeof issuedAt !== 'number' || facts.now - issuedAt > facts.expected.maxAgeSeconds) {
    throw refusal('key_binding_times')
  }
  return issuedAt
}
