/**
 * One POST to an authorization server, with everything that makes us a client there.
 *
 * Owns client attestation and DPoP on each attempt, fresh proofs every time, and the bounded answers to what
 * a server may demand: a DPoP nonce, an attestation challenge, a newer attestation, each once. What a 200 or
 * an error means is for the caller. No redirect is followed; the fetch refuses one.
 *
 * Source: RFC 9449, sections 5 and 8; attestation-based client authentication -11, sections 6 and 7.4;
 * FAPI 2.0, section 5.3.3.
 *
 * @module
 */
import {
  type Clock,
  isJsonObject,
  type JsonObject,
  type OutboundFetch,
  parseJson,
  type Random,
  VerificationError,
} from '@attache/core'
import {
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  createClientAttestationPop,
  demandsDpopNonce,
  encodeForm,
  FORM_MEDIA_TYPE,
  type FormParameters,
  headersWithProof,
  parseErrorResponse,
} from '@attache/oauth'
import type { Attestations } from './attester-memory.js'
import type { ClientInstance } from './client-instance.js'
import type { ServerMemory } from './server-memory.js'

/** What a call needs. */
export interface AuthorizationServerCallDeps {
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  readonly attestations: Attestations
  readonly memory: ServerMemory
}

/** An answer that was JSON, whatever its status. */
export interface AuthorizationServerAnswer {
  readonly status: number
  readonly body: JsonObject
}

/** Attestation errors, and what makes the next attempt different. */
const ATTESTATION_RETRIES: Readonly<Record<string, 'challenge' | 'attestation'>> = {
  use_attestation_challenge: 'challenge',
  use_fresh_attestation: 'attestation',
  invalid_client: 'attestation',
  invalid_client_attestation: 'attestation',
}

/**
 * Posts a form to an endpoint of an authorization server.
 *
 * @throws {VerificationError} `answer_malformed`: the answer is no JSON object. The fetch's own codes.
 */
export async function callAuthorizationServer(
  call: { readonly url: string; readonly form: FormParameters; readonly client: ClientInstance },
  deps: AuthorizationServerCallDeps,
): Promise<AuthorizationServerAnswer> {
  const tried = new Set<string>()
  let fresh = false
  for (;;) {
    const response = await attempt(call, deps, fresh)
    const demand = await demandOf(response, call.client, deps)
    if (demand === undefined || tried.has(demand)) return answerOf(response)
    tried.add(demand)
    fresh = demand === 'attestation'
  }
}

async function attempt(
  { url, form, client }: { url: string; form: FormParameters; client: ClientInstance },
  deps: AuthorizationServerCallDeps,
  fresh: boolean,
): Promise<Response> {
  const nonces = deps.memory.nonces(client.agent, 'authorization-server')
  const now = deps.clock()
  const attestation = await deps.attestations.of(client, now, { fresh })
  const challenge = deps.memory.challenge(client.agent, client.authorizationServer)
  const statement = { audience: client.authorizationServer, clientId: client.clientId, challenge }
  const pop = await createClientAttestationPop(statement, client.instance, { now, random: deps.random })
  const init = {
    method: 'POST',
    body: encodeForm(form),
    headers: {
      accept: 'application/json',
      'content-type': FORM_MEDIA_TYPE,
      [CLIENT_ATTESTATION_HEADER]: attestation,
      [CLIENT_ATTESTATION_POP_HEADER]: pop,
    },
  }
  const proofDeps = { signer: client.dpop, nonces, clock: () => now, random: deps.random }
  const response = await deps.fetch(url, { ...init, headers: await headersWithProof(url, init, proofDeps) })
  nonces.note(url, response.headers)
  deps.memory.noteChallenge(client.agent, client.authorizationServer, response.headers)
  return response
}

async function demandOf(
  response: Response,
  client: ClientInstance,
  deps: AuthorizationServerCallDeps,
): Promise<string | undefined> {
  if (response.ok) return undefined
  if (await demandsDpopNonce(response)) return 'nonce'
  const error = await errorOf(response)
  const demand =
    error !== undefined && Object.hasOwn(ATTESTATION_RETRIES, error) ? ATTESTATION_RETRIES[error] : undefined
  const challenge = deps.memory.challenge(client.agent, client.authorizationServer)
  return demand === 'challenge' && challenge === undefined ? undefined : demand
}

async function errorOf(response: Response): Promise<string | undefined> {
  try {
    return parseErrorResponse(await response.clone().json()).error
  } catch {
    return undefined
  }
}

async function answerOf(response: Response): Promise<AuthorizationServerAnswer> {
  const parsed = parseJson(await response.text())
  if (!parsed.ok || !isJsonObject(parsed.value)) {
    throw new VerificationError(
      'answer_malformed',
      'The authorization server did not answer with a JSON object.',
    )
  }
  return { status: response.status, body: parsed.value }
}
