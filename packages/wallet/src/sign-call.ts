/**
 * The signature of an agent's call, made here because the key is here.
 *
 * The agent names method, URL, header fields and the digest of the body; what is signed is composed from those and
 * from the token and proof of this very attempt, always under the tag of the profile. So nobody can have a text of
 * their own signed, nor a call to a place no token was granted for, and no such text can be taken for a JWT: it begins
 * with a quotation mark.
 *
 * Source: RFC 9421, sections 3.1, 5.2 and 7.2; requirements/sender-constraint.md, HMS-P-02 to HMS-P-05 and HMS-Q-02.
 *
 * @module
 */
import type { AuthorizationQuestion, BodyDigest, MessageParts, WalletHeaders } from '@attache/agent'
import { decodeBase64url, type NumericDate, type Random, VerificationError } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  type AcceptedSignature,
  type DigestedContent,
  parseAcceptSignature,
  REQUEST_SIGNATURE_TAG,
  type RequestWithBody,
  requiredOfRequest,
  signRequest,
} from '@attache/oauth'
import type { TokenSignatures } from './token-signatures.js'

/** A call about to be sent. */
export interface CallToSign {
  readonly question: AuthorizationQuestion
  /** Token and proof of this attempt. */
  readonly authorization: WalletHeaders
  /** What the resource's metadata says. */
  readonly known: TokenSignatures
  /** The key of the proof. */
  readonly signer: Signer
  readonly now: NumericDate
}

/** The header fields of a signature, and what was learned on the way. */
export interface SignedCall {
  readonly headers: WalletHeaders
  readonly known: TokenSignatures
}

/**
 * Signs a call where the metadata or the API's last answer asks for it.
 *
 * @returns No header fields where nobody asks.
 * @throws {VerificationError} `signature_unsupported`: the agent handed over nothing to sign; `accept_signature`,
 *   `signature_component`, `signature_coverage`: what is asked for cannot be made, or is less than the profile.
 */
export async function signCall(call: CallToSign, deps: { readonly random: Random }): Promise<SignedCall> {
  const { question, known, signer, now } = call
  const accepted = askedIn(question.challenge?.acceptSignature)
  if (accepted === undefined && known.requests === undefined) return { headers: {}, known }
  if (question.message === undefined) {
    throw new VerificationError(
      'signature_unsupported',
      'The API wants signed calls; this agent cannot. Update it.',
    )
  }
  const request = requestOf(call, question.message)
  const profile = requiredOfRequest(request)
  if (accepted !== undefined) requireAtLeast(profile, accepted)
  const facts = { now, random: deps.random, accepted, components: known.requests?.components }
  const fields = await signRequest(request, signer, facts)
  const headers = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const further = accepted?.components.filter((component) => !PROFILE.has(component))
  return { headers, known: further === undefined ? known : { ...known, requests: { components: further } } }
}

// What the profile covers of one request or another: not worth remembering.
const PROFILE = new Set([
  '@method',
  '@target-uri',
  '@authority',
  'authorization',
  'dpop',
  'content-digest',
  'content-type',
])

function askedIn(field: string | undefined): AcceptedSignature | undefined {
  // Another tag is for somebody else on the way.
  if (field === undefined) return undefined
  return parseAcceptSignature(field).find(({ tag }) => tag === REQUEST_SIGNATURE_TAG)
}

function requireAtLeast(profile: readonly string[], { components }: AcceptedSignature): void {
  if (profile.every((component) => components.includes(component))) return
  throw new VerificationError(
    'accept_signature',
    'The API asks for a signature that covers less than it must.',
  )
}

// Only the wallet says these.
const OWN_FIELDS = new Set(['authorization', 'dpop', 'signature', 'signature-input', 'accept-signature'])

function requestOf({ question, authorization }: CallToSign, message: MessageParts): RequestWithBody {
  const url = new URL(question.url)
  url.hash = ''
  const given = Object.entries(message.headers).filter(([name]) => !OWN_FIELDS.has(name))
  return {
    method: question.method,
    url: url.href,
    headers: [...given, ...Object.entries(authorization)],
    body: contentOf(message.body),
  }
}

/**
 * A body, as the rooms below know one by its digests.
 *
 * @throws {VerificationError} `message_malformed`: a digest is no base64url.
 */
export function contentOf(body: BodyDigest | undefined): DigestedContent | undefined {
  if (body === undefined) return undefined
  const known = [
    ['sha-256', body.sha256],
    ['sha-512', body.sha512],
  ] as const
  const digests = known.flatMap(([algorithm, text]) =>
    text === undefined ? [] : [[algorithm, bytesOf(text)] as const],
  )
  return { length: body.length, digests: new Map(digests) }
}

function bytesOf(text: string): Uint8Array {
  const bytes = decodeBase64url(text)
  if (bytes !== undefined) return bytes
  throw new VerificationError('message_malformed', 'A digest of the body is not base64url.')
}
