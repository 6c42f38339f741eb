/**
 * The first half of the challenge route: somebody wants a scope, and is told what to present for it.
 *
 * Writes nothing. A copied request gets another sealed session for the same key, which its sender cannot use.
 *
 * Source: first-party apps -03, sections 5.1 and 5.2.2; OpenID4VCI 1.1 draft -01, sections 6.1 and 6.2.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Random, randomId, randomText } from '@attache/core'
import { generateDecryptionKey, type Seal, type Signer } from '@attache/keys'
import { dpopKeyOfRequest, type InitialChallengeRequest, insufficientAuthorization } from '@attache/oauth'
import { encodeIaRequest, IA_OPENID4VP_PRESENTATION, STATIC_AUDIENCE } from '@attache/openid4vp'
import { sealSession } from './challenge-session.js'
import type { AuthenticatedCaller } from './client-authentication.js'
import { clientMetadataFor } from './presentation-request.js'
import { signRequest } from './request-identity.js'
import type { AskedRequirement } from './requirement.js'
import type { Settings } from './settings.js'

/** What making a challenge needs. */
export interface IssueChallengeDeps {
  readonly settings: Settings
  /** Signs requests. */
  readonly signer: Signer
  readonly seal: Seal
  readonly random: Random
  /** What a scope stands for. */
  readonly requirementOf: (scope: string) => AskedRequirement | undefined
}

/**
 * Makes the answer that asks for a presentation.
 *
 * @returns The answer, to be thrown by the endpoint: it is an error to OAuth.
 * @throws {ProtocolError} `invalid_scope`, `invalid_request`, `invalid_target`, `missing_interaction_type`,
 * `invalid_dpop_proof`.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.1; RFC 9449, section 10.1.
 */
export async function issueChallenge(
  facts: {
    readonly wanted: InitialChallengeRequest
    readonly caller: AuthenticatedCaller
    readonly now: NumericDate
  },
  deps: IssueChallengeDeps,
): Promise<ProtocolError> {
  const { settings, random } = deps
  const { requirement, codeChallenge } = readWish(facts.wanted, deps)
  const { caller, now } = facts
  // Who names another key than the one it holds means somebody else's.
  dpopKeyOfRequest(facts.wanted.request, caller.binding)
  const key = generateDecryptionKey()
  const session = {
    id: randomId(random, 'ses'),
    clientId: caller.client.clientId,
    jkt: caller.binding,
    instanceJkt: caller.client.instanceJkt,
    scope: requirement.scope,
    codeChallenge,
    nonce: randomText(random),
    decryptionKey: key.privateJwk,
    expiresAt: now + settings.lifetimes.challenge,
  }
  const request = {
    clientId: settings.clientId,
    responseMode: 'ia_post.jwt' as const,
    nonce: session.nonce,
    dcqlQuery: requirement.query,
    clientMetadata: clientMetadataFor(settings, key.publicJwk),
    expectedOrigins: [settings.origin],
  }
  const lifetimeSeconds = settings.lifetimes.challenge
  const { identity } = settings
  const requestObject = await signRequest(
    { request, audience: STATIC_AUDIENCE, issuedAt: now, lifetimeSeconds },
    { identity, signer: deps.signer },
  )
  return insufficientAuthorization({
    authSession: sealSession(session, deps),
    interactionTypeRequired: IA_OPENID4VP_PRESENTATION,
    interaction: { openid4vp_request: encodeIaRequest({ kind: 'signed', requestObject }) },
  })
}

function readWish({ request, interactionTypesSupported }: InitialChallengeRequest, deps: IssueChallengeDeps) {
  const { scope, codeChallenge, resource, redirectUri } = request
  const requirement = scope === undefined ? undefined : deps.requirementOf(scope)
  if (requirement === undefined) {
    throw new ProtocolError('invalid_scope', 'Ask for exactly one scope that this server offers.')
  }
  if (codeChallenge === undefined) {
    throw new ProtocolError('invalid_request', 'Send a code_challenge with code_challenge_method S256.')
  }
  if (resource !== undefined && resource !== deps.settings.origin) {
    throw new ProtocolError('invalid_target', 'This server grants access to its own resource only.')
  }
  if (redirectUri !== undefined) {
    throw new ProtocolError('invalid_request', 'This flow has no redirect_uri. Leave it out.')
  }
  if (!interactionTypesSupported.includes(IA_OPENID4VP_PRESENTATION)) {
    throw new ProtocolError(
      'missing_interaction_type',
      `Support the interaction ${IA_OPENID4VP_PRESENTATION}.`,
    )
  }
  return { requirement, codeChallenge }
}
