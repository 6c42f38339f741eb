/**
 * Compact JWS, both halves: `signJws` makes one, `parseJws` and `verifyJws` take one apart and judge it.
 *
 * Parsing is strict before any cryptography: three non-empty base64url segments without padding or stray
 * bits, JSON objects without duplicate members. Which key counts for whom is not known here.
 *
 * Source: RFC 7515, sections 3.1, 4.1 and 7.1; RFC 7797; RFC 8725, sections 3.1 to 3.12.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  parseJson,
  utf8,
  type VerificationError,
} from '@attache/core'
import { isJwsAlgorithm, type JwsAlgorithm } from './algorithms.js'
import { misconfiguration, refusal } from './error-codes.js'
import { hasPrivateMember, type PublicJwk } from './jwk.js'
import { algorithmFitsKey, verifySignature } from './signature.js'
import type { Signer } from './signer.js'

/** A JWS taken apart; nothing about it is proven yet. */
export interface ParsedJws {
  readonly header: JsonObject
  readonly payload: JsonObject
  /** The first two segments as received: what the signature covers. */
  readonly signingInput: string
  readonly signature: Uint8Array
  /** The whole text as received. */
  readonly text: string
}

const DEFAULT_MAX_BYTES = 65_536

/**
 * Signs a payload as compact JWS.
 *
 * @param input.header Protected header without `alg`, which the signer sets. The caller gives `typ`, `kid`,
 *   `x5c` or `jwk`.
 * @param input.payload A claim set, or JSON text that has to be signed byte for byte.
 * @throws {TypeError} `jws_header_refused`: a header with `crit` or `b64`, or a `jwk` with a private member.
 *
 * Source: RFC 7515, section 5.1.
 */
export async function signJws(
  input: { header: JsonObject; payload: JsonObject | string },
  signer: Signer,
): Promise<string> {
  const jwk = member(input.header, 'jwk')
  if (hasCriticalMembers(input.header) || (isJsonObject(jwk) && hasPrivateMember(jwk))) {
    throw misconfiguration('jws_header_refused', 'A JWS header here has no crit, no b64 and no private jwk.')
  }
  const header = encodeJson(JSON.stringify({ ...input.header, alg: signer.alg }))
  const payload = typeof input.payload === 'string' ? input.payload : JSON.stringify(input.payload)
  const signingInput = `${header}.${encodeJson(payload)}`
  return `${signingInput}.${encodeBase64url(await signer.sign(utf8(signingInput)))}`
}

/**
 * Takes a compact JWS apart, strictly.
 *
 * @param limits.maxBytes Greatest length of the text. @default 65536
 * @param limits.maxDepth Greatest nesting of header and payload. @default 16
 * @throws {VerificationError} `jws_too_large`, before anything else; `jws_malformed`: not three non-empty
 *   base64url segments, or header or payload is no JSON object, nests too deep or repeats a member.
 *
 * Source: RFC 7515, sections 4 and 5.2; RFC 7519, section 4.
 */
export function parseJws(text: string, limits?: { maxBytes?: number; maxDepth?: number }): ParsedJws {
  if (text.length > (limits?.maxBytes ?? DEFAULT_MAX_BYTES)) {
    throw refusal('jws_too_large', 'The signed token is longer than accepted here.')
  }
  const [first = '', second = '', third = '', ...rest] = text.split('.', 4)
  const signature = decodeBase64url(third)
  if (rest.length > 0 || signature === undefined || signature.length === 0) {
    throw malformed('A compact JWS has exactly three base64url segments.')
  }
  const maxDepth = limits?.maxDepth ?? 16
  const header = decodeObject(first, maxDepth)
  const payload = decodeObject(second, maxDepth)
  return { header, payload, signingInput: `${first}.${second}`, signature, text }
}

/**
 * Verifies type, algorithm and signature of a parsed JWS, the cheap checks first.
 *
 * @param expected.typ Compared character by character: no other case, no `application/`. `undefined` for foreign
 *   tokens that are known to carry none: one that carries any is then refused.
 * @param expected.algorithms Accepted `alg` values. An empty list accepts none.
 * @param expected.key The one key that counts. Keys named in the header count only if the caller puts them here.
 * @throws {VerificationError} `jws_typ`, `jws_algorithm` (not in the list), `jws_crit` (`crit` or `b64` present),
 *   `jws_key_mismatch` (the algorithm does not fit the key), `jws_signature`.
 *
 * Source: RFC 7515, sections 4.1.11 and 5.2; RFC 8725, sections 3.1, 3.2 and 3.11.
 */
export function verifyJws(
  jws: ParsedJws,
  expected: { typ: string | undefined; algorithms: readonly JwsAlgorithm[]; key: PublicJwk },
): void {
  const { header } = jws
  const alg = member(header, 'alg')
  if (member(header, 'typ') !== expected.typ) {
    const wanted = expected.typ === undefined ? 'no type' : `the type ${expected.typ}`
    throw refusal('jws_typ', `The token must have ${wanted}.`)
  }
  if (!isJwsAlgorithm(alg) || !expected.algorithms.includes(alg)) {
    throw refusal('jws_algorithm', 'The token is signed with an algorithm that is not accepted here.')
  }
  // No extension is understood here, so each of them would have to be refused; an empty list is invalid anyway.
  if (hasCriticalMembers(header)) {
    throw refusal('jws_crit', 'The token demands a header extension that is not supported here.')
  }
  if (!algorithmFitsKey(alg, expected.key)) {
    throw refusal('jws_key_mismatch', 'The algorithm of the token does not fit the key.')
  }
  if (!verifySignature(jws.signature, { bytes: utf8(jws.signingInput), alg }, expected.key)) {
    throw refusal('jws_signature', 'The signature of the token does not hold for the key.')
  }
}

function hasCriticalMembers(header: JsonObject): boolean {
  return Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')
}

function encodeJson(text: string): string {
  return encodeBase64url(utf8(text))
}

function decodeObject(segment: string, maxDepth: number): JsonObject {
  const bytes = decodeBase64url(segment)
  const text = bytes === undefined ? undefined : decodeUtf8(bytes)
  const parsed = text === undefined ? undefined : parseJson(text, { maxDepth })
  if (parsed?.ok !== true || !isJsonObject(parsed.value)) {
    throw malformed('Header and payload of a JWS are JSON objects in base64url, without repeated members.')
  }
  return parsed.value
}

function malformed(message: string): VerificationError {
  return refusal('jws_malformed', message)
}
