/**
 * Answers that are signed and bound to the request they answer, so that the caller can tell what a proxy changed.
 *
 * Tied to this one call by the DPoP proof of its request, which is new each time. The key is the one that signs
 * requests and tokens; it is published under `jwks_uri`.
 *
 * Source: RFC 9421, sections 2.4 and 5; requirements/sender-constraint.md, HMS-R-01 to HMS-R-04.
 *
 * @module
 */
import { type Clock, configurationError, mediaType, type Random, VerificationError } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  type AcceptedSignature,
  parseAcceptSignature,
  RESPONSE_SIGNATURE_TAG,
  type ResponseWithBody,
  SIGNED_ON_REQUEST_HEADERS,
  signResponse,
} from '@attache/oauth'

/** With what answers are signed. */
export interface SignAnswerDeps {
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
}

/**
 * Signs an answer. Its body is held back whole.
 *
 * @param call.url As the client sees it.
 * @returns A new response; `Cache-Control: no-store`, since it serves one request.
 * @throws {TypeError} `response_stream`: events that come one by one cannot be signed.
 *
 * Source: RFC 9421, section 2.4.
 */
export async function signAnswer(
  response: Response,
  call: { readonly request: Request; readonly url: string },
  deps: SignAnswerDeps,
): Promise<Response> {
  if (mediaType(response.headers) === 'text/event-stream') {
    throw configurationError(
      'response_stream',
      'A stream of events cannot be signed. Leave signResponses out.',
    )
  }
  const { method, headers } = call.request
  const bytes = response.body === null ? undefined : new Uint8Array(await response.arrayBuffer())
  const message = {
    status: response.status,
    headers: [...response.headers],
    body: method === 'HEAD' ? undefined : bytes,
    request: { method, url: call.url, headers: [...headers] },
  }
  const fields = await signAsAsked(message, headers, deps)
  const signed = new Response(bytes ?? null, { status: response.status, headers: response.headers })
  for (const [name, value] of Object.entries(fields)) signed.headers.set(name, value)
  signed.headers.set('Cache-Control', SIGNED_ON_REQUEST_HEADERS['Cache-Control'])
  signed.headers.append('Vary', SIGNED_ON_REQUEST_HEADERS.Vary)
  return signed
}

async function signAsAsked(
  message: ResponseWithBody,
  headers: Headers,
  { signer, clock, random }: SignAnswerDeps,
): Promise<Readonly<Record<string, string>>> {
  const facts = { now: clock(), random, components: headers.has('DPoP') ? ['dpop;req'] : [] }
  const accepted = wantedBy(headers)
  try {
    return await signResponse(message, signer, { ...facts, accepted })
  } catch (error) {
    // Another key, or components this answer has not: who asked for that sees that it did not get it.
    if (!(error instanceof VerificationError) || accepted === undefined) throw error
    return signResponse(message, signer, facts)
  }
}

function wantedBy(headers: Headers): AcceptedSignature | undefined {
  const field = headers.get('Accept-Signature')
  if (field === null) return undefined
  try {
    return parseAcceptSignature(field).find(({ tag }) => tag === RESPONSE_SIGNATURE_TAG)
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}
