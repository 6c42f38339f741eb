/**
 * Encryption of issuance messages: what is agreed for one request, and what is done with its bodies.
 *
 * Owns the switch (never, whenever the issuer offers both directions, always) and that a request for an
 * encrypted answer is never sent in the clear. The issuer's key comes from its metadata alone; ours is new for
 * every request and never stored.
 *
 * Source: OpenID4VCI 1.0, sections 8.2, 8.3.1.2, 9.1, 10 and 12.2.4; requirements/wallet-issuance.md, W-09.
 *
 * @module
 */
import { type JsonObject, type JsonValue, parseJson } from '@attache/core'
import { type ContentEncryption, type DecryptionKey, generateDecryptionKey } from '@attache/keys'
import {
  decryptCredentialResponse,
  ENCRYPTED_MESSAGE_MEDIA_TYPE,
  encryptCredentialRequest,
  makeResponseEncryption,
  type RequestEncryptionOffer,
} from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import type { IssuerAnswer } from './issuer-call.js'
import type { IssuancePlan } from './plan-issuance.js'

/** What was agreed for one request. */
export interface MessageEncryption {
  /** How the request travels; absent, in the clear. */
  readonly request?: RequestEncryptionOffer | undefined
  /** How the answer is to come; absent, in the clear. */
  readonly response?: ResponseProtection | undefined
}

interface ResponseProtection {
  readonly key: DecryptionKey
  readonly enc: ContentEncryption
  /** `credential_response_encryption` of the request. */
  readonly demand: JsonObject
}

/** Preferred first. */
const ENCS: readonly ContentEncryption[] = ['A256GCM', 'A128GCM']

/** Agrees on encryption for one request. Aborts with `encryption`. */
export function agreeOnEncryption(plan: IssuancePlan): MessageEncryption {
  const { requestEncryption: request, responseEncryption: offered } = plan.metadata
  const wish = plan.issuer.encryption ?? 'if-offered'
  const both = request !== undefined && offered !== undefined
  if (wish === 'always' && !both) throw abort('encryption')

  const encryptAnswer = offered !== undefined && (offered.required || (wish !== 'never' && both))
  // Who demands an encrypted answer must encrypt the question: its key would else be replaced on the way.
  if (encryptAnswer && request === undefined) throw abort('encryption')
  const encryptRequest = request !== undefined && (request.required || encryptAnswer || wish !== 'never')
  return {
    request: encryptRequest ? request : undefined,
    response: encryptAnswer ? responseProtection(offered.algValues, offered.encValues) : undefined,
  }
}

function responseProtection(algorithms: readonly string[], encs: readonly string[]): ResponseProtection {
  const enc = ENCS.find((known) => encs.includes(known))
  if (enc === undefined || !algorithms.includes('ECDH-ES')) throw abort('encryption')
  const key = generateDecryptionKey()
  return { key, enc, demand: makeResponseEncryption({ jwk: key.publicJwk, enc }) }
}

/** The body as it travels. Aborts with `encryption` when no key of the issuer is usable. */
export async function sealRequest(
  request: JsonObject,
  { request: offer }: MessageEncryption,
): Promise<{ body: string; contentType: 'application/json' | 'application/jwt' }> {
  if (offer === undefined) return { body: JSON.stringify(request), contentType: 'application/json' }
  const body = await abortWith('encryption', () => encryptCredentialRequest(request, offer))
  return { body, contentType: ENCRYPTED_MESSAGE_MEDIA_TYPE }
}

/** Opens a 2xx answer. Aborts with `encryption` when it came plain although it had to be encrypted. */
export async function openAnswer(answer: IssuerAnswer, { response }: MessageEncryption): Promise<JsonValue> {
  if (response !== undefined) {
    if (answer.mediaType !== ENCRYPTED_MESSAGE_MEDIA_TYPE) throw abort('encryption')
    return abortWith('encryption', () => decryptCredentialResponse(answer.text, response))
  }
  const parsed = parseJson(answer.text)
  if (answer.mediaType !== 'application/json' || !parsed.ok) throw abort('response')
  return parsed.value
}
