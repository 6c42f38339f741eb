/**
 * Encryption of issuance messages: what is agreed, and what is done with a body.
 *
 * Source: OpenID4VCI 1.0, sections 8.2, 8.3.1.2, 10 and 12.2.4; requirements/wallet-issuance.md, W-09.
 *
 * @module
 */
import { type JsonObject, type JsonValue, parseJson } from '@attache/core'
import { abort } from './abort.js'
import type { IssuerAnswer } from './issuer-call.js'
import type { IssuancePlan } from './plan-issuance.js'

/** What was agreed for one request. */
export interface MessageEncryption {
  /** `credential_response_encryption` of the request. */
  readonly demand: JsonObject
}

/** Agrees on encryption for one request. Aborts with `encryption`. */
export function agreeOnEncryption(plan: IssuancePlan): MessageEncryption | undefined {
  const { requestEncryption, responseEncryption } = plan.metadata
  if (requestEncryption?.required || responseEncryption?.required || plan.issuer.encryption === 'always') {
    throw abort('encryption')
  }
  return undefined
}

/** The body as it travels. */
export async function sealRequest(
  request: JsonObject,
  _encryption: MessageEncryption | undefined,
): Promise<{ body: string; contentType: 'application/json' | 'application/jwt' }> {
  return { body: JSON.stringify(request), contentType: 'application/json' }
}

/** Opens a 2xx answer. Aborts with `encryption` when it came plain although it had to be encrypted. */
export async function openAnswer(
  answer: IssuerAnswer,
  encryption: MessageEncryption | undefined,
): Promise<JsonValue> {
  if (encryption !== undefined && answer.mediaType !== 'application/jwt') throw abort('encryption')
  const parsed = parseJson(answer.text)
  if (answer.mediaType !== 'application/json' || !parsed.ok) throw abort('response')
  return parsed.value
}
