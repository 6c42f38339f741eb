/**
 * The Deferred Credential Endpoint.
 *
 * Source: OpenID4VCI 1.0, section 9.
 *
 * @module
 */
import type { Route } from '@attache/core'
import { makeCredentialResponse, parseDeferredCredentialRequest } from '@attache/openid4vci'
import type { CredentialEndpointDeps } from './credential-endpoint.js'
import { acceptedMessages, answerEncryption, answerMessage, openMessage } from './credential-message.js'
import { fetchDeferred } from './fetch-deferred.js'
import { type AuthorizedRequest, protectedEndpoint } from './protected-endpoint.js'

/** The route of the Deferred Credential Endpoint. */
export function deferredEndpoint(deps: CredentialEndpointDeps): Route {
  const work = async (request: Request, { grant, guards, now }: AuthorizedRequest): Promise<Response> => {
    const message = await openMessage(request, deps.encryption)
    const { transactionId, responseEncryption } = parseDeferredCredentialRequest(message.body)
    const encryption = answerEncryption(responseEncryption, message, deps.encryption)
    const fetched = await fetchDeferred({ transactionId, grantId: grant.id, guards, now }, deps)
    return answerMessage(makeCredentialResponse(fetched), encryption)
  }
  const accepts = acceptedMessages(deps.encryption)
  return protectedEndpoint({ url: deps.urls.deferred, event: 'issuer.deferred', accepts }, work, deps)
}
