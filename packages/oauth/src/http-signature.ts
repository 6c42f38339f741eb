/**
 * Signed requests and responses: integrity from the agent to the resource, whatever lies between.
 *
 * Owns both halves: `signRequest` and `verifySignedRequest`, `signResponse` and `verifySignedResponse`. A
 * response is bound to the request it answers. The rules are in `signature-profile.ts`, remembering a nonce
 * is the caller's store step.
 *
 * Source: RFC 9421, sections 1.4, 2.4 and 3; RFC 9530, section 2; requirements/sender-constraint.md, section 3.
 *
 * @module
 */
import { type NumericDate, type Random, randomText, utf8, VerificationError } from '@attache/core'
import { jwkThumbprint, type PublicJwk, type Signer } from '@attache/keys'
import { type AcceptedSignature, signatureRefusal } from './accept-signature.js'
import { type Content, createContentDigest, verifyContentDigest } from './content-digest.js'
import { createSignatureBase, createSignatureFields, parseSignatureFields } from './signature-base.js'
import {
  type HeaderFields,
  type HttpMessage,
  parseComponent,
  type RequestMessage,
  type ResponseMessage,
} from './signature-components.js'
import {
  chooseSignature,
  REQUEST_SIGNATURE_TAG,
  RESPONSE_SIGNATURE_TAG,
  requireCoverable,
  signatureAlgorithm,
  type VerifiedSignature,
  verifySignatureByPolicy,
} from './signature-profile.js'
import type { BareItem } from './structured-fields.js'

/** A request and its body. */
export interface RequestWithBody extends RequestMessage {
  /** The body as it travels, or its digests; nothing, or nothing in it, means no body. */
  readonly body?: Content | undefined
}

/** A response, its body, and the request it answers. */
export interface ResponseWithBody extends ResponseMessage {
  readonly body?: Content | undefined
  readonly request: RequestMessage
}

/** How a message is signed. */
export interface SigningFacts {
  readonly now: NumericDate
  readonly random: Random
  /** What the other side asked for in `Accept-Signature`. */
  readonly accepted?: AcceptedSignature | undefined
  /** Header field that carries a presentation, in lower case. */
  readonly presentationHeader?: string | undefined
  /** Components beyond the profile's that the other side is known to ask for. */
  readonly components?: readonly string[] | undefined
}

/**
 * Signs a request.
 *
 * @param signer The key the access token is bound to, or the key of the credential that is presented.
 * @returns The header fields to add: the two of the signature, and `Content-Digest` when there is a body.
 * @throws {VerificationError} `signature_component` or `signature_coverage`: something cannot be covered;
 *   `signature_key`: neither P-256 nor Ed25519; `accept_signature`: another key is asked for.
 *
 * Source: RFC 9421, sections 3.1 and 5.2.
 */
export function signRequest(
  request: RequestWithBody,
  signer: Signer,
  facts: SigningFacts,
): Promise<Readonly<Record<string, string>>> {
  const digest = digestField(request)
  const message = { ...request, headers: [...request.headers, ...digest] }
  const required = requiredOfRequest(message, facts.presentationHeader)
  return signMessage(message, { required, tag: REQUEST_SIGNATURE_TAG, label: 'agent', digest, signer }, facts)
}

/**
 * Signs a response, bound to its request.
 *
 * Source: RFC 9421, section 2.4.
 */
export function signResponse(
  response: ResponseWithBody,
  signer: Signer,
  facts: SigningFacts,
): Promise<Readonly<Record<string, string>>> {
  const digest = digestField(response)
  const message = { ...response, headers: [...response.headers, ...digest] }
  const required = requiredOfResponse(message)
  return signMessage(
    message,
    { required, tag: RESPONSE_SIGNATURE_TAG, label: 'resource', digest, signer },
    facts,
  )
}

/** What our own verifier takes at most. */
const LIFETIME_SECONDS = 60

interface SigningPlan {
  readonly required: readonly string[]
  readonly tag: string
  readonly label: string
  readonly digest: HeaderFields
  readonly signer: Signer
}

async function signMessage(
  message: HttpMessage,
  plan: SigningPlan,
  facts: SigningFacts,
): Promise<Readonly<Record<string, string>>> {
  const { accepted, now } = facts
  if (accepted?.keyid !== undefined && accepted.keyid !== plan.signer.kid) {
    throw new VerificationError('accept_signature', 'The other side asks for a signature with another key.')
  }
  signatureAlgorithm(plan.signer.publicJwk)
  const wanted = accepted?.components ?? [...new Set([...plan.required, ...(facts.components ?? [])])]
  const components = wanted.map(parseComponent)
  requireCoverable(components, message)
  const parameters = new Map<string, BareItem>([
    ['created', { type: 'integer', value: now }],
    ['expires', { type: 'integer', value: now + LIFETIME_SECONDS }],
    ['nonce', { type: 'string', value: accepted?.nonce ?? randomText(facts.random, 16) }],
    ['keyid', { type: 'string', value: plan.signer.kid }],
    ['tag', { type: 'string', value: accepted?.tag ?? plan.tag }],
  ])
  const base = createSignatureBase({ components, parameters }, message)
  const signature = await plan.signer.sign(utf8(base))
  const fields = createSignatureFields({
    label: accepted?.label ?? plan.label,
    components,
    parameters,
    signature,
  })
  return { ...Object.fromEntries(plan.digest), ...fields }
}

function digestField(message: {
  readonly headers: HeaderFields
  readonly body?: Content | undefined
}): HeaderFields {
  if (!hasBody(message.body) || hasField(message.headers, 'content-digest')) return []
  return [['Content-Digest', createContentDigest(message.body)]]
}

function hasBody(body: Content | undefined): body is Content {
  return body !== undefined && body.length > 0
}

function hasField(headers: HeaderFields, name: string): boolean {
  return headers.some(([field]) => field.toLowerCase() === name)
}

/**
 * What a request's signature must cover: method, target and authority, whatever shows who calls, and the body.
 *
 * Source: requirements/sender-constraint.md, HMS-P-02; RFC 9421, section 7.2.1.
 */
export function requiredOfRequest(request: RequestWithBody, presentationHeader?: string): readonly string[] {
  const credentials = [
    'authorization',
    'dpop',
    ...(presentationHeader === undefined ? [] : [presentationHeader]),
  ]
  return [
    '@method',
    '@target-uri',
    '@authority',
    ...(hasBody(request.body) ? ['content-digest', 'content-type'] : []),
    ...credentials.filter((name) => hasField(request.headers, name)),
  ]
}

function requiredOfResponse({ headers, body, request }: ResponseWithBody): readonly string[] {
  return [
    '@status',
    ...(hasBody(body) ? ['content-digest'] : []),
    ...(hasBody(body) && hasField(headers, 'content-type') ? ['content-type'] : []),
    '@method;req',
    '@target-uri;req',
    ...(hasField(request.headers, 'content-digest') ? ['content-digest;req'] : []),
  ]
}

/** What a resource expects of a signed request. */
export interface SignedRequestExpectation {
  /** The key the caller has shown: of the DPoP proof, else of the presented credential. No third key counts. */
  readonly key: PublicJwk
  /** Header field that carries a presentation, in lower case; covered whenever it is sent. */
  readonly presentationHeader?: string | undefined
  /** Further components this route asks for. */
  readonly required?: readonly string[] | undefined
  /** The nonce that was asked for. @default any of 128 bits */
  readonly nonce?: string | undefined
  readonly minNonceLength?: number | undefined
  readonly maxAgeSeconds?: number | undefined
  readonly maxAheadSeconds?: number | undefined
}

/**
 * Verifies a signed request: signature first, then the body against the covered digest. Use it only after
 * `rememberSignature` was committed too.
 *
 * @param request URL from configuration and path (see `externalUrl`), headers and body as received here.
 * @throws {ProtocolError} `invalid_signature` with `Accept-Signature` in its headers; `invalid_request` for
 *   fields that are malformed.
 *
 * Source: RFC 9421, sections 3.2 and 5; requirements/sender-constraint.md, HMS-P-08 and HMS-P-09.
 */
export function verifySignedRequest(
  request: RequestWithBody,
  expected: SignedRequestExpectation,
  now: NumericDate,
): VerifiedSignature {
  const profile = requiredOfRequest(request, expected.presentationHeader)
  const required = [...new Set([...profile, ...(expected.required ?? [])])]
  try {
    return verifyMessage(
      request,
      { ...expected, required, tag: REQUEST_SIGNATURE_TAG, keys: [expected.key] },
      now,
    )
  } catch (error) {
    const { nonce } = expected
    throw signatureRefusal(error, { label: 'agent', components: required, tag: REQUEST_SIGNATURE_TAG, nonce })
  }
}

/** What a client expects of a signed response. */
export interface SignedResponseExpectation {
  /** Keys of the resource, for example from its metadata; chosen by `keyid`. */
  readonly keys: readonly PublicJwk[]
  /** Components beyond the profile's, for example `dpop;req`. */
  readonly required?: readonly string[] | undefined
  readonly nonce?: string | undefined
  readonly minNonceLength?: number | undefined
  readonly maxAgeSeconds?: number | undefined
  readonly maxAheadSeconds?: number | undefined
}

/**
 * Verifies a signed response to a request. An unsigned one fails like a badly signed one.
 *
 * @param response With the request as it was sent: keep it until here.
 * @throws {VerificationError} `response_signature` with the reason in its cause.
 *
 * Source: RFC 9421, sections 2.4 and 3.2; requirements/sender-constraint.md, HMS-R-01 to HMS-R-04.
 */
export function verifySignedResponse(
  response: ResponseWithBody,
  expected: SignedResponseExpectation,
  now: NumericDate,
): VerifiedSignature {
  try {
    const required = [...requiredOfResponse(response), ...(expected.required ?? [])]
    return verifyMessage(response, { ...expected, required, tag: RESPONSE_SIGNATURE_TAG }, now)
  } catch (cause) {
    throw new VerificationError('response_signature', 'The response is not signed as it must be.', { cause })
  }
}

function verifyMessage(
  message: HttpMessage & { readonly body?: Content | undefined },
  expected: SignedResponseExpectation & { readonly required: readonly string[]; readonly tag: string },
  now: NumericDate,
): VerifiedSignature {
  const signature = chooseSignature(parseSignatureFields(message), expected.tag)
  const policy = {
    ...expected,
    keyOf: (keyid: string) => expected.keys.find((key) => jwkThumbprint(key) === keyid),
  }
  const verified = verifySignatureByPolicy(signature, { message, policy }, now)
  const digest = message.headers.find(([field]) => field.toLowerCase() === 'content-digest')?.[1]
  if (digest !== undefined) verifyContentDigest(digest, message.body ?? new Uint8Array())
  return verified
}
