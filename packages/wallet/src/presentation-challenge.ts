/**
 * Access to an API without an authorization server: its 401 hands over a request, a presentation earns a code,
 * and the code is redeemed for a token with a proof of the agent's key.
 *
 * Owns the body of that 401, read strictly, and the redemption. The request itself is answered as any plain
 * OpenID4VP request is, held to the called origin (`present-by-request.ts`). The standard ends at the
 * redirect_uri; challenge and redemption are ours, named by the version in the challenge.
 *
 * Source: Attaché, route (a) of headless presentation, version 1 (own); OpenID4VP 1.0, sections 5.10, 8.2, 14.3
 * and 14.8; RFC 9449, section 5.
 *
 * @module
 */
import {
  decodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  type OutboundFetch,
  parseHttpsUrl,
  parseJson,
  VerificationError,
} from '@attache/core'
import {
  createDpopFetch,
  encodeForm,
  FORM_MEDIA_TYPE,
  formParameters,
  parseTokenResponse,
} from '@attache/oauth'
import type { ChallengeOutcome } from './challenge-route.js'
import type { ClientInstance } from './client-instance.js'
import { type HandedRequest, type PresentDeps, presentByRequest } from './present-by-request.js'
import type { ServerMemory } from './server-memory.js'

/** What an API hands over with its 401. */
export interface PresentationChallenge {
  /** Members of an Authorization Request: client_id, request_uri, request_uri_method. */
  readonly handover: JsonObject
  readonly transactionId: string
}

/** What the route needs. */
export interface PresentationChallengeDeps extends PresentDeps {
  readonly memory: ServerMemory
}

/** Lifetime assumed for a token whose answer names none, in seconds. */
const DEFAULT_LIFETIME_SECONDS = 60

/**
 * Reads the body of the 401.
 *
 * @throws {VerificationError} `challenge_malformed`.
 */
export function parsePresentationChallenge(body: string | undefined): PresentationChallenge {
  const parsed = parseJson(body ?? '')
  if (!parsed.ok || !isJsonObject(parsed.value)) throw malformed()
  const [error, handover, transactionId, expiresIn] = [
    member(parsed.value, 'error'),
    member(parsed.value, 'openid4vp'),
    member(parsed.value, 'transaction_id'),
    member(parsed.value, 'expires_in'),
  ]
  if (error !== 'presentation_required' || !isJsonObject(handover)) throw malformed()
  // By reference alone: only a request fetched for this wallet can echo its nonce.
  if (typeof member(handover, 'request_uri') !== 'string') throw malformed()
  if (typeof transactionId !== 'string' || decodeBase64url(transactionId)?.length !== 32) throw malformed()
  if (typeof expiresIn !== 'number' || !(expiresIn > 0)) throw malformed()
  return { handover, transactionId }
}

function malformed(): VerificationError {
  return new VerificationError(
    'challenge_malformed',
    'The 401 asks for a presentation in a body that cannot be read.',
  )
}

/**
 * Presents, and redeems what the presentation earned.
 *
 * @throws {VerificationError} A check failed, or the API did not redeem: `no_response_code`, `token_refused`.
 * @throws {ProtocolError} The request is authentic and unusable.
 */
export async function runPresentationChallenge(
  facts: Pick<HandedRequest, 'now'> & {
    readonly client: ClientInstance
    readonly challenge: PresentationChallenge
    /** Origin of the URL that the agent called. */
    readonly origin: string
  },
  deps: PresentationChallengeDeps,
): Promise<ChallengeOutcome> {
  const { client, challenge, origin, now } = facts
  const nonces = deps.memory.nonces(client.agent, 'api')
  // One key from the presentation to the token: a relayed challenge earns its sender nothing.
  const send = createDpopFetch({ ...deps, signer: client.dpop, nonces })
  const handed = { agent: client.agent, request: challenge.handover, api: { origin, send }, now }
  const result = await presentByRequest(handed, deps)
  if (result.kind === 'denied') return result
  const { transactionId } = challenge
  const token = await redeem({ transactionId, origin, redirectUri: result.redirectUri }, { fetch: send })
  return { kind: 'granted', ...token, facts: result.facts }
}

async function redeem(
  facts: {
    readonly transactionId: string
    readonly origin: string
    readonly redirectUri: string | undefined
  },
  deps: { readonly fetch: OutboundFetch },
) {
  const url = parseHttpsUrl(facts.redirectUri)
  const responseCode = url?.searchParams.get('response_code') ?? undefined
  // The code is worth a token: it goes to the called origin and nowhere else.
  if (url?.origin !== facts.origin || responseCode === undefined) {
    throw new VerificationError('no_response_code', 'The presentation earned no code of the called origin.')
  }
  // In the body: a query stands in logs.
  const response = await deps.fetch(`${url.origin}${url.pathname}`, {
    method: 'POST',
    body: encodeForm(formParameters({ transaction_id: facts.transactionId, response_code: responseCode })),
    headers: { accept: 'application/json', 'content-type': FORM_MEDIA_TYPE },
  })
  const parsed = parseJson(await response.text())
  if (response.status !== 200 || !parsed.ok || !isJsonObject(parsed.value)) {
    throw new VerificationError(
      'token_refused',
      `The redemption was answered with status ${response.status}.`,
    )
  }
  const { accessToken, expiresInSeconds = DEFAULT_LIFETIME_SECONDS } = parseTokenResponse(parsed.value, {
    dpopBound: true,
  })
  return { accessToken, expiresInSeconds }
}
