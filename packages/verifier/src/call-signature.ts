/**
 * The signature of a call: by the key of its token, over everything that a proxy could change, body included.
 *
 * The body is read from a copy, so that the route behind the gate reads the very bytes that were verified. That a
 * signature is new is the caller's store step, taken together with that of the proof.
 *
 * Source: RFC 9421, sections 3.2, 5 and 7.2; RFC 9530, section 2; requirements/sender-constraint.md, HMS-P-08.
 *
 * @module
 */
import { configurationError, type NumericDate, ProtocolError, readBody } from '@attache/core'
import type { PublicJwk } from '@attache/keys'
import {
  createAcceptSignature,
  REQUEST_SIGNATURE_TAG,
  type VerifiedSignature,
  verifySignedRequest,
} from '@attache/oauth'
import type { ReadSigning } from './message-signing.js'

/** Says what to sign; the label is a suggestion, signatures are chosen by their tag. */
const LABEL = 'agent'

/**
 * Verifies the signature of a call.
 *
 * @param call.key The key of the DPoP proof; nothing for a token that is bound to a certificate alone.
 * @throws {ProtocolError} `invalid_signature` and `invalid_request`, both with `Accept-Signature` in their headers;
 * `request_too_large`, `request_timed_out`.
 * @throws {TypeError} `body_consumed`: something read the body before the gate; the host is put together wrongly.
 *
 * Source: RFC 9421, section 3.2.
 */
export async function verifyCallSignature(
  call: {
    readonly request: Request
    readonly url: string
    readonly key: PublicJwk | undefined
    readonly now: NumericDate
  },
  rule: NonNullable<ReadSigning['requests']>,
): Promise<VerifiedSignature> {
  const { request, url, key, now } = call
  if (key === undefined) {
    throw new ProtocolError('invalid_signature', 'Calls here are signed by the DPoP key of their token.', {
      headers: acceptSignature(request, rule),
    })
  }
  const body = await readBody(copyOf(request), { maxBytes: rule.maxBodyBytes })
  const message = { method: request.method, url, headers: [...request.headers], body }
  return verifySignedRequest(message, { key, required: rule.components }, now)
}

function copyOf(request: Request): Request {
  if (!request.bodyUsed) return request.clone()
  throw configurationError(
    'body_consumed',
    'The body was read before the gate, which has to verify it. Put the gate before every body parser.',
  )
}

/**
 * The field that tells a caller how to sign: for every 401 of a route that wants signatures, since the next attempt
 * will carry a token and a proof.
 *
 * Source: RFC 9421, section 5; requirements/sender-constraint.md, HMS-P-09.
 */
export function acceptSignature(
  request: Request,
  rule: NonNullable<ReadSigning['requests']>,
): { readonly 'Accept-Signature': string } {
  const profile = ['@method', '@target-uri', '@authority', 'authorization', 'dpop']
  // A host may hand on an empty stream for a call without body.
  const hasBody = request.body !== null && request.headers.get('Content-Length') !== '0'
  const body = hasBody ? ['content-digest', 'content-type'] : []
  const components = [...new Set([...profile, ...body, ...rule.components])]
  return {
    'Accept-Signature': createAcceptSignature({ label: LABEL, components, tag: REQUEST_SIGNATURE_TAG }),
  }
}
