/**
 * The envelope of the credential and deferred credential endpoints: plain JSON, or the same inside a JWE.
 *
 * Owns which envelope is accepted and which one the answer gets. A refusal is never encrypted.
 *
 * Source: OpenID4VCI 1.0, sections 8.2, 8.3, 8.3.1.2, 9.1 and 10; requirements/issuer.md D-10, D-11.
 *
 * @module
 */
import {
  decodeUtf8,
  type JsonObject,
  type JsonValue,
  json,
  mediaType,
  NO_STORE,
  ProtocolError,
  readBody,
} from '@attache/core'
import {
  decryptCredentialRequest,
  ENCRYPTED_MESSAGE_MEDIA_TYPE,
  encryptCredentialResponse,
  parseResponseEncryption,
  type ResponseEncryption,
  type ResponseEncryptionOffer,
} from '@attache/openid4vci'
import type { MessageEncryptionOptions } from './issuer-options.js'
import { readJsonBody } from './request-body.js'

/** A request body, and whether it came encrypted. */
export interface OpenedMessage {
  readonly body: JsonValue
  readonly encrypted: boolean
}

const CODE = 'invalid_credential_request'
const MAX_BODY_BYTES = 262_144

/** The media types of requests, and the code for others. */
export function acceptedMessages(encryption: MessageEncryptionOptions | undefined): {
  readonly types: readonly string[]
  readonly code: string
} {
  const types = ['application/json', ...(encryption === undefined ? [] : [ENCRYPTED_MESSAGE_MEDIA_TYPE])]
  return { types, code: CODE }
}

/**
 * Opens the body of a request.
 *
 * @throws {ProtocolError} `invalid_credential_request`: another media type, plain where encryption is
 *   required, or not decryptable.
 */
export async function openMessage(
  request: Request,
  encryption: MessageEncryptionOptions | undefined,
): Promise<OpenedMessage> {
  if (encryption !== undefined && mediaType(request.headers) === ENCRYPTED_MESSAGE_MEDIA_TYPE) {
    const text = decodeUtf8(await readBody(request, { maxBytes: MAX_BODY_BYTES })) ?? ''
    const { keys, encValues } = encryption
    return { body: await decryptCredentialRequest(text.trim(), { keys, encs: encValues }), encrypted: true }
  }
  const body = await readJsonBody(request, CODE)
  if (encryption?.requestRequired) {
    throw new ProtocolError(
      CODE,
      'This issuer wants its requests encrypted. See credential_request_encryption.',
    )
  }
  return { body, encrypted: false }
}

/**
 * How the answer is to be encrypted.
 *
 * @param asked `credential_response_encryption` of this request; an earlier request does not count.
 * @throws {ProtocolError} `invalid_credential_request`: the parameter came in the clear, where anybody on the
 *   way could have put in another key. `invalid_encryption_parameters`: see `parseResponseEncryption`.
 */
export function answerEncryption(
  asked: JsonValue | undefined,
  message: OpenedMessage,
  encryption: MessageEncryptionOptions | undefined,
): ResponseEncryption | undefined {
  const offer = encryption && responseOffer(encryption)
  if (asked !== undefined && offer !== undefined && !message.encrypted) {
    throw new ProtocolError(CODE, 'Encrypt the request that carries credential_response_encryption.')
  }
  return parseResponseEncryption(asked, offer)
}

/** What metadata say about encrypted responses. */
export function responseOffer(encryption: MessageEncryptionOptions): ResponseEncryptionOffer | undefined {
  const { response, encValues } = encryption
  return response === 'off'
    ? undefined
    : { algValues: ['ECDH-ES'], encValues, required: response === 'required' }
}

/** The answer, encrypted when it was asked for. */
export async function answerMessage(
  answer: { readonly status: number; readonly body: JsonObject },
  encryption: ResponseEncryption | undefined,
): Promise<Response> {
  if (encryption === undefined) return json(answer.status, answer.body, NO_STORE)
  const headers = { ...NO_STORE, 'Content-Type': ENCRYPTED_MESSAGE_MEDIA_TYPE }
  return new Response(await encryptCredentialResponse(answer.body, encryption), {
    status: answer.status,
    headers,
  })
}
