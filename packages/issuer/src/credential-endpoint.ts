/**
 * The Credential Endpoint.
 *
 * Owns the shell: token and proof are checked by `protected-endpoint.ts`, issuing is `issue-credential.ts`.
 *
 * Source: OpenID4VCI 1.0, section 8.
 *
 * @module
 */
import { json, NO_STORE, ProtocolError, type Route } from '@attache/core'
import { makeCredentialResponse, parseCredentialRequest } from '@attache/openid4vci'
import type { EndpointUrls } from './endpoint-urls.js'
import { type IssueCredentialDeps, issueCredential } from './issue-credential.js'
import {
  type AuthorizedRequest,
  challenged,
  type ProtectedEndpointDeps,
  protectedEndpoint,
} from './protected-endpoint.js'
import { readJsonBody } from './request-body.js'

/** What the endpoint needs. */
export interface CredentialEndpointDeps extends IssueCredentialDeps, ProtectedEndpointDeps {
  readonly store: ProtectedEndpointDeps['store']
  readonly keys: ProtectedEndpointDeps['keys']
  readonly random: ProtectedEndpointDeps['random']
  readonly urls: EndpointUrls
}

/** The route of the Credential Endpoint. */
export function credentialEndpoint(deps: CredentialEndpointDeps): Route {
  const work = async (request: Request, authorized: AuthorizedRequest): Promise<Response> => {
    const wanted = parseCredentialRequest(await readJsonBody(request, 'invalid_credential_request'))
    const issued = await withScopeChallenge(issueCredential({ request: wanted, ...authorized }, deps), deps)
    const { status, body } = makeCredentialResponse(issued)
    return json(status, body, NO_STORE)
  }
  return protectedEndpoint({ url: deps.urls.credential, event: 'issuer.credential' }, work, deps)
}

/** A token that does not reach is answered as RFC 6750 says, with the scopes that would. */
async function withScopeChallenge<T>(work: Promise<T>, deps: CredentialEndpointDeps): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'insufficient_scope') throw error
    const scopes = [...deps.templates.values()].map((template) => template.scope)
    throw challenged(error, deps, scopes.join(' '))
  }
}
