/**
 * The signature profile of an agent's call: what must be covered, which parameters, keys and times count.
 *
 * Owns the rules that RFC 9421 leaves to an application. A signature says nothing about what it does not
 * cover, so the list of what must be covered is the profile's heart.
 *
 * Source: RFC 9421, sections 1.4, 3.2.1, 7.2 and 7.3; requirements/sender-constraint.md, HMS-P and HMS-V.
 *
 * @module
 */
import {
  encodeBase64url,
  equalText,
  type NumericDate,
  SPENT_MARGIN_SECONDS,
  type StoreStep,
  storeKey,
  utf8,
  VerificationError,
} from '@attache/core'
import { type JwsAlgorithm, jwkThumbprint, type PublicJwk, sha256, verifySignature } from '@attache/keys'
import { createSignatureBase, type LabelledSignature } from './signature-base.js'
import { type Component, componentId, type HttpMessage, parseComponent } from './signature-components.js'

/** `tag` of a signed request. */
export const REQUEST_SIGNATURE_TAG = 'agent-tool-call'
/** `tag` of a signed response. */
export const RESPONSE_SIGNATURE_TAG = 'agent-tool-response'

// Only these two: RSA v1.5 and HMAC prove less, and a DPoP key is one of these.
const ALGORITHMS: ReadonlyMap<string, { readonly jws: JwsAlgorithm; readonly name: string }> = new Map([
  ['P-256', { jws: 'ES256', name: 'ecdsa-p256-sha256' }],
  ['Ed25519', { jws: 'EdDSA', name: 'ed25519' }],
])

/** What the two sides of a signature agree on. */
export interface SignaturePolicy {
  /** Fixed value of `tag`. */
  readonly tag: string
  /** Components that must be covered, as `@method` or `content-digest;req`. */
  readonly required: readonly string[]
  /** The key a `keyid` stands for. Looked up outside the message; nothing means not trusted. */
  readonly keyOf: (keyid: string) => PublicJwk | undefined
  /** Value that `nonce` must echo, when one was asked for. */
  readonly nonce?: string | undefined
  /** Least length of `nonce`, in characters. @default 22 (128 bits in base64url) */
  readonly minNonceLength?: number | undefined
  /** Greatest age of `created`, and greatest distance of `expires` from it, in seconds. @default 60 */
  readonly maxAgeSeconds?: number | undefined
  /** How far `created` may lie ahead, in seconds. @default 10 */
  readonly maxAheadSeconds?: number | undefined
}

/** A signature that passed every check but one: that its nonce was not used before. */
export interface VerifiedSignature {
  readonly label: string
  /** RFC 7638 thumbprint of the key. */
  readonly keyid: string
  readonly nonce: string
  readonly created: NumericDate
  readonly expires: NumericDate
  /** Identifiers of the covered components: everything else in the message is anybody's word. */
  readonly covered: readonly string[]
  /** Hash over key and nonce. */
  readonly replayKey: string
  /** How long the nonce must be remembered. */
  readonly expiresAt: NumericDate
}

/**
 * Chooses the signature to judge: by `tag`, never by label or position.
 *
 * @throws {VerificationError} `signature_missing`: none; `signature_ambiguous`: more than one.
 *
 * Source: RFC 9421, sections 3.2 (step 1.1), 7.2.5 and 7.2.6.
 */
export function chooseSignature(signatures: readonly LabelledSignature[], tag: string): LabelledSignature {
  const [chosen, ...others] = signatures.filter((signature) => textParameter(signature, 'tag') === tag)
  if (chosen === undefined) throw refused('signature_missing', 'No signature has the tag that is asked for.')
  if (others.length > 0)
    throw refused('signature_ambiguous', 'Two signatures have the tag that is asked for.')
  return chosen
}

/**
 * Verifies one signature: first what it covers and says, then the key, then the signature itself.
 *
 * @throws {VerificationError} `signature_coverage`, `signature_parameters`, `signature_times`,
 *   `signature_key`, `signature_component`, `signature_invalid`.
 *
 * Source: RFC 9421, sections 3.2 and 3.2.1.
 */
export function verifySignatureByPolicy(
  signature: LabelledSignature,
  context: { readonly message: HttpMessage; readonly policy: SignaturePolicy },
  now: NumericDate,
): VerifiedSignature {
  const { message, policy } = context
  const covered = requireCoverage(signature, policy.required, message)
  const { created, expires } = requireTimes(signature, policy, now)
  const nonce = requireNonce(signature, policy)
  const keyid = textParameter(signature, 'keyid')
  const key = keyid === undefined ? undefined : policy.keyOf(keyid)
  if (keyid === undefined || key === undefined || jwkThumbprint(key) !== keyid) {
    throw refused(
      'signature_key',
      'The keyid is not the thumbprint of a key that is trusted for this message.',
    )
  }
  requireSignature(signature, key, message)
  const replayKey = encodeBase64url(sha256(utf8(JSON.stringify([keyid, nonce]))))
  const { label } = signature
  const expiresAt = expires + (policy.maxAheadSeconds ?? 10)
  return { label, keyid, nonce, created, expires, covered, replayKey, expiresAt }
}

/**
 * The store step that makes a signature single-use: the first one in wins. Commit it as the last check.
 *
 * Source: RFC 9421, section 7.2.2.
 */
export function rememberSignature(
  signature: Pick<VerifiedSignature, 'replayKey' | 'expiresAt'>,
  place: { readonly tenant: string; readonly room: string },
): Extract<StoreStep, { op: 'putIfAbsent' }> {
  const key = storeKey({ ...place, kind: 'signature-nonce', id: signature.replayKey })
  return { op: 'putIfAbsent', key, value: { v: 1 }, expiresAt: signature.expiresAt + SPENT_MARGIN_SECONDS }
}

function requireCoverage(
  signature: LabelledSignature,
  required: readonly string[],
  message: HttpMessage,
): readonly string[] {
  const covered = signature.components.map(componentId)
  const missing = required.find((text) => !covered.includes(componentId(parseComponent(text))))
  if (missing !== undefined) throw refused('signature_coverage', `The signature must cover ${missing}.`)
  requireCoverable(signature.components, message)
  return covered
}

// A signature over a signature says nothing about the message; the request target has no one spelling.
const NEVER_COVERED = new Set(['signature', 'signature-input', '@request-target'])

/**
 * Refuses what no signature of ours covers: another signature, the request target, a field that is there twice.
 *
 * @throws {VerificationError} `signature_coverage`.
 *
 * Source: RFC 9421, sections 2.2.5, 7.3.7 and 7.5.6.
 */
export function requireCoverable(components: readonly Component[], message: HttpMessage): void {
  for (const { value, parameters } of components) {
    const name = value.value
    if (NEVER_COVERED.has(name)) throw refused('signature_coverage', `The signature must not cover ${name}.`)
    const source = parameters.has('req') && 'status' in message ? message.request : message
    const count = source?.headers.filter(([field]) => field.toLowerCase() === name).length ?? 0
    if (!name.startsWith('@') && count > 1) {
      throw refused('signature_coverage', `The covered field ${name} must be there exactly once.`)
    }
  }
}

function requireTimes(
  signature: LabelledSignature,
  policy: SignaturePolicy,
  now: NumericDate,
): { created: NumericDate; expires: NumericDate } {
  const { maxAgeSeconds = 60, maxAheadSeconds = 10 } = policy
  const [created, expires] = [integerParameter(signature, 'created'), integerParameter(signature, 'expires')]
  if (created === undefined || expires === undefined) {
    throw refused('signature_parameters', 'The signature needs created and expires as integers.')
  }
  const ordered = created < expires && expires - created <= maxAgeSeconds
  if (!ordered || created > now + maxAheadSeconds || created < now - maxAgeSeconds || expires <= now) {
    throw refused('signature_times', 'The signature is expired, too old, too long-lived or from the future.')
  }
  return { created, expires }
}

function requireNonce(signature: LabelledSignature, policy: SignaturePolicy): string {
  const nonce = textParameter(signature, 'nonce')
  const { minNonceLength = 22 } = policy
  if (nonce === undefined || nonce.length < minNonceLength || nonce.length > 256) {
    throw refused('signature_parameters', 'The signature needs a nonce of 128 bits or more.')
  }
  if (policy.nonce !== undefined && !equalText(nonce, policy.nonce)) {
    throw refused('signature_parameters', 'The signature must echo the nonce that was asked for.')
  }
  return nonce
}

function requireSignature(signature: LabelledSignature, key: PublicJwk, message: HttpMessage): void {
  const algorithm = signatureAlgorithm(key)
  const named = textParameter(signature, 'alg')
  if (signature.parameters.has('alg') && named !== algorithm.name) {
    throw refused('signature_key', 'The alg of the signature contradicts its key.')
  }
  const bytes = utf8(createSignatureBase(signature, message))
  if (verifySignature(signature.signature, { bytes, alg: algorithm.jws }, key)) return
  throw refused('signature_invalid', 'The signature does not hold for this message.')
}

/**
 * The algorithm of a key, which the message has no say in.
 *
 * @throws {VerificationError} `signature_key` for a key that is neither P-256 nor Ed25519.
 *
 * Source: RFC 9421, sections 3.2 (step 6), 3.3.4, 3.3.6 and 7.3.6.
 */
export function signatureAlgorithm(key: PublicJwk): { readonly jws: JwsAlgorithm; readonly name: string } {
  const algorithm = ALGORITHMS.get(key.crv ?? '')
  if (algorithm !== undefined) return algorithm
  throw refused('signature_key', 'Messages are signed with P-256 or Ed25519 keys only.')
}

function textParameter(signature: LabelledSignature, name: string): string | undefined {
  const value = signature.parameters.get(name)
  return value?.type === 'string' ? value.value : undefined
}

function integerParameter(signature: LabelledSignature, name: string): number | undefined {
  const value = signature.parameters.get(name)
  return value?.type === 'integer' ? value.value : undefined
}

function refused(code: string, message: string): VerificationError {
  return new VerificationError(code, message)
}
