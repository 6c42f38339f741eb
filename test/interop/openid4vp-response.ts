/**
 * What `@openid4vc/openid4vp` makes of an answer that was posted, as a verifier built on it would ask.
 *
 * The library leaves presentations to its host; its own part is the shape of the answer, its state and whether it
 * came encrypted.
 *
 * @module
 */
import { type AuthorizationRequest, requestUrlByValue } from '@attache/openid4vp'
import { Openid4vpVerifier, parseOpenid4vpAuthorizationRequest } from '@openid4vc/openid4vp'
import { createPeerKeys } from './openid4vc-callbacks.js'

const offline: typeof fetch = async () => new Response(null, { status: 503 })

/** Whether the library takes the posted form for an answer to the request. */
export async function acceptsResponse(
  request: AuthorizationRequest,
  form: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { callbacks } = createPeerKeys(offline)
  const parsed = parseOpenid4vpAuthorizationRequest({
    authorizationRequest: requestUrlByValue('openid4vp://', request),
  })
  if (parsed.type !== 'openid4vp') throw new Error('The request is no plain one.')
  const verifier = new Openid4vpVerifier({ callbacks })
  try {
    await verifier.parseOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: parsed.params,
      authorizationResponse: form,
      callbacks,
    })
    return true
  } catch {
    return false
  }
}
