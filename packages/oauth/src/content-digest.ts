/**
 * `Content-Digest`: a hash over the bytes of a body as they travel, so that a signature can cover the body.
 *
 * Owns both halves. Only sha-256 and sha-512 count; the old algorithms of the registry prove nothing against
 * somebody who wants to deceive. A digest in the trailers is not looked at.
 *
 * Source: RFC 9530, sections 2, 4 and 5; RFC 9421, section 7.2.8.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { ProtocolError, readBody } from '@attache/core'
import { type Member, parseDictionary, serializeDictionary } from './structured-fields.js'

/** An algorithm that counts. */
export type DigestAlgorithm = 'sha-256' | 'sha-512'

/** A body whose bytes are elsewhere: its length, and digests that somebody computed over it. */
export interface DigestedContent {
  /** In bytes. */
  readonly length: number
  readonly digests: ReadonlyMap<string, Uint8Array>
}

/** A body, or what is known of it. */
export type Content = Uint8Array | DigestedContent

const NODE_NAMES: ReadonlyMap<string, string> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/**
 * Writes the field for a body.
 *
 * @param content The bytes as they travel, after any content coding; or their digests.
 * @throws {ProtocolError} `invalid_signature`: that digest is not among those given.
 *
 * Source: RFC 9530, section 2.
 */
export function createContentDigest(content: Content, algorithm: DigestAlgorithm = 'sha-256'): string {
  const digest = digestOf(content, algorithm)
  if (digest === undefined) throw refused(`The ${algorithm} digest of the body is not known.`)
  const value: Member = { kind: 'item', value: { type: 'bytes', value: digest }, parameters: new Map() }
  return serializeDictionary(new Map([[algorithm, value]]))
}

/**
 * Verifies the field against the bytes that arrived. Every digest we can compute must fit, and there must be one.
 *
 * @param content The body as received, before it is decoded or parsed; or its digests.
 * @throws {ProtocolError} `invalid_request` for a malformed field; `invalid_signature` when no digest counts
 *   or one does not fit.
 *
 * Source: RFC 9530, sections 2 and 5; RFC 9421, section 7.2.8.
 */
export function verifyContentDigest(field: string, content: Content): void {
  const digests = parseDictionary(field)
  if (digests === undefined)
    throw new ProtocolError('invalid_request', 'The Content-Digest field is malformed.')
  const supported = [...digests].filter(([algorithm]) => NODE_NAMES.has(algorithm))
  if (supported.length === 0) throw refused('Send Content-Digest with sha-256 or sha-512.')
  if (!supported.every(([algorithm, value]) => fits(value, digestOf(content, algorithm)))) {
    throw refused('The Content-Digest does not fit the body.')
  }
}

/** Most bytes of a body that are held back until its digest is known. */
const MOST_BYTES = 1_048_576

/**
 * Reads a body whole, within a limit, and verifies its Content-Digest: nothing of it is used before it fits.
 *
 * Only the header field counts. A digest in the trailer comes after whoever forwarded the body could change
 * both, and is never looked at.
 *
 * @param limits.maxBytes @default 1048576
 * @returns The bytes as received.
 * @throws {ProtocolError} `request_too_large` (413), announced or not; `request_timed_out`; `invalid_request`
 *   for a malformed field; `invalid_signature` when a body has no digest that counts, or one that does not fit.
 *
 * Source: RFC 9530, sections 2 and 6; RFC 9110, section 6.5.
 */
export async function readDigestedBody(
  request: Request,
  limits: { readonly maxBytes?: number } = {},
): Promise<Uint8Array> {
  const content = await readBody(request, { maxBytes: limits.maxBytes ?? MOST_BYTES })
  const field = request.headers.get('Content-Digest')
  if (field !== null) verifyContentDigest(field, content)
  else if (content.byteLength > 0) throw refused('Send Content-Digest as a header field with the body.')
  return content
}

function fits(value: Member, digest: Uint8Array | undefined): boolean {
  if (digest === undefined || value.kind !== 'item' || value.value.type !== 'bytes') return false
  return value.value.value.length === digest.length && timingSafeEqual(value.value.value, digest)
}

function digestOf(content: Content, algorithm: string): Uint8Array | undefined {
  if (!(content instanceof Uint8Array)) return content.digests.get(algorithm)
  return createHash(NODE_NAMES.get(algorithm) ?? 'sha256')
    .update(content)
    .digest()
}

/**
 * The algorithm a peer prefers, of those that count.
 *
 * @param want The `Want-Content-Digest` field; nothing when it was not sent.
 * @returns Nothing when the peer accepts none of ours.
 *
 * Source: RFC 9530, section 4.
 */
export function chooseDigestAlgorithm(want: string | null | undefined): DigestAlgorithm | undefined {
  if (want === null || want === undefined) return 'sha-256'
  const preference = (algorithm: DigestAlgorithm): number => {
    const value = parseDictionary(want)?.get(algorithm)
    return value?.kind === 'item' && value.value.type === 'integer' ? value.value.value : 0
  }
  const algorithms: readonly DigestAlgorithm[] = ['sha-256', 'sha-512']
  const [best] = [...algorithms].sort((a, b) => preference(b) - preference(a))
  return best !== undefined && preference(best) > 0 ? best : undefined
}

function refused(description: string): ProtocolError {
  return new ProtocolError('invalid_signature', description)
}
