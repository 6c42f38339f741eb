/**
 * What an attack is: a program that, given a scene, makes the one request an attacker sends.
 *
 * Attacks on an answer are posted to a response_uri, attacks on a call go to a guarded route. Each names the row
 * of the threat model it belongs to and the one reason our verifier must have; which of the usual libraries would
 * be the one to stop it is named beside it, so that their verdict on the very same request can be asked for.
 *
 * @module
 */
import type { JsonObject, JsonValue } from '@attache/core'
import { encodeForm } from '@attache/oauth'
import type { AuthorizationRequest } from '@attache/openid4vp'
import type { Gate, PresentationReason, ProblemCode } from '@attache/verifier'
import { holder, only } from '../support/forged-presentation.js'
import {
  createWallet,
  createWorld,
  fetchRequest,
  issueCredential,
  MANAGERS_IN_EU,
  obtainToken,
  QUERY,
  type Wallet,
  type World,
} from '../support/presentation-world.js'

/** A library, with the options its own documentation leads to. */
export type Library =
  | '@sd-jwt/sd-jwt-vc verify(text)'
  | '@sd-jwt/sd-jwt-vc verify(text, { keyBindingNonce })'
  | '@openid4vc/openid4vp parseOpenid4vpAuthorizationResponse'
  | 'dcql DcqlQuery.query'
  | 'jose jwtVerify(KB-JWT, cnf key)'
  | 'oauth4webapi validateJwtAccessToken'

interface AnyAttack {
  /** Unique; a row of the table in README.md. */
  readonly name: string
  /** Row of the threat model. */
  readonly row: number
  /** Libraries whose job it would be; the others do not see what is wrong. */
  readonly libraries: readonly Library[]
}

/** A transaction that waits for its answer. */
export interface AnswerScene {
  readonly world: World
  readonly request: AuthorizationRequest
  readonly responseUri: string
  readonly transactionId: string
}

/** An attack on the endpoint that receives presentations. */
export interface AnswerAttack extends AnyAttack {
  readonly refused: PresentationReason
  readonly transaction?: {
    readonly query?: JsonObject
    readonly responseMode?: 'direct_post' | 'direct_post.jwt'
    readonly transactionData?: readonly JsonObject[]
  }
  forge(scene: AnswerScene): Promise<Request>
}

/** A guarded route, and a token that was honestly come by. */
export interface CallScene {
  readonly world: World
  readonly gate: Gate
  readonly victim: Wallet
  readonly token: string
}

/** An attack on a guarded route. */
export interface CallAttack extends AnyAttack {
  readonly refused: ProblemCode
  forge(scene: CallScene): Promise<Request>
}

/** Begins a transaction of an honest verifier and fetches its request. */
export async function beginTransaction(attack: Pick<AnswerAttack, 'transaction'>): Promise<AnswerScene> {
  const world = createWorld()
  const options = { query: QUERY, responseMode: 'direct_post' as const, ...attack.transaction }
  const { requestUrl, transactionId } = await world.verifier.startTransaction({
    ...options,
    crossDevice: true,
  })
  const { request, responseUri } = await fetchRequest(world, requestUrl)
  return { world, request, responseUri, transactionId }
}

/** A guarded route whose victim holds a token. */
export async function holdToken(): Promise<CallScene> {
  const world = createWorld()
  const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
  const victim = await createWallet()
  return { world, gate, victim, token: await obtainToken(world, victim) }
}

/** The request that posts a `vp_token` in the clear. */
export function postToken(
  scene: AnswerScene,
  vpToken: JsonValue,
  more: Readonly<Record<string, string>> = {},
) {
  return postForm(scene, { vp_token: JSON.stringify(vpToken), state: scene.request.state ?? '', ...more })
}

/** The request that posts one presentation under the one query. */
export function postPresentation(scene: AnswerScene, presentation: string): Request {
  return postToken(scene, only(presentation))
}

/** The request that posts any form. */
export function postForm({ responseUri }: AnswerScene, form: Readonly<Record<string, string>>): Request {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  return new Request(responseUri, {
    method: 'POST',
    headers,
    body: encodeForm(new Map(Object.entries(form))),
  })
}

/** A credential that was honestly issued to the holder of {@link holder}. */
export const honestCredential = (claims: JsonObject = {}): Promise<string> => issueCredential(holder, claims)
