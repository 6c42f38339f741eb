/**
 * Fetching a request object: the wallet's GET or POST to the request_uri, and what the verifier reads of it.
 *
 * Owns the messages; who sends them and what is signed in answer lies elsewhere.
 *
 * Source: OpenID4VP 1.0, sections 5.10 and 10.1.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  ProtocolError,
  parseJson,
  utf8,
  VerificationError,
} from '@attache/core'
import { chooseEncryptionKey, encryptJwe, type PublicJwk } from '@attache/keys'
import { z } from 'zod'
import { wireObject } from './wire-object.js'

/** Media type of a request object. */
export const REQUEST_OBJECT_MEDIA_TYPE = 'application/oauth-authz-req+jwt'

/** What a wallet says about itself, as far as a verifier here uses it. */
export interface WalletMetadata {
  /** Becomes the `aud` of the request object when present. */
  readonly issuer?: string | undefined
  /** Absent says nothing in an excerpt. */
  readonly clientIdPrefixes?: readonly string[] | undefined
  /** Credential Format Identifiers; absent says nothing. */
  readonly formats?: readonly string[] | undefined
  /** Algorithms of `dc+sd-jwt`, of the credential and of its KB-JWT; written, not read. */
  readonly sdJwtAlgorithms?: { readonly issuer: readonly string[]; readonly keyBinding: readonly string[] }
  /** `request_object_signing_alg_values_supported`. */
  readonly requestObjectAlgorithms?: readonly string[] | undefined
  /** `authorization_encryption_alg_values_supported` and its `_enc_` sibling. */
  readonly encryptionAlgorithms?: readonly string[] | undefined
  readonly encryptionEncs?: readonly string[] | undefined
  /** Public keys a verifier may encrypt its request object to; written, not read. */
  readonly requestEncryptionKeys?: readonly PublicJwk[]
  /** The first of such keys and content encryptions that is spoken here; read, not written. */
  readonly requestEncryption?: { readonly jwk: PublicJwk; readonly enc: 'A128GCM' | 'A256GCM' } | undefined
}

/** The body of a request_uri POST. */
export interface RequestUriPost {
  readonly walletNonce?: string | undefined
  readonly walletMetadata?: WalletMetadata | undefined
}

const MOST_NONCE_CHARACTERS = 512
const URL_SAFE = /^[A-Za-z0-9\-._~]+$/
const list = z.array(z.string()).optional()
const walletMetadataSchema = z.object({
  issuer: z.string().optional(),
  client_id_prefixes_supported: list,
  vp_formats_supported: z.record(z.string(), z.unknown()).optional(),
  request_object_signing_alg_values_supported: list,
  authorization_encryption_alg_values_supported: list,
  authorization_encryption_enc_values_supported: list,
  request_object_encryption_alg_values_supported: list,
  request_object_encryption_enc_values_supported: list,
  jwks: z.unknown().optional(),
})

/** One HTTP request a wallet sends for a request object. */
export interface RequestUriFetch {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/**
 * Makes the wallet's request for a request object.
 *
 * @param post Absent: a GET without any parameter.
 *
 * Source: OpenID4VP 1.0, section 5.10.
 */
export function requestUriFetch(post?: RequestUriPost): RequestUriFetch {
  if (post === undefined) return { method: 'GET', headers: { accept: REQUEST_OBJECT_MEDIA_TYPE } }
  const form = new URLSearchParams()
  if (post.walletNonce !== undefined) form.set('wallet_nonce', post.walletNonce)
  if (post.walletMetadata !== undefined) {
    form.set('wallet_metadata', JSON.stringify(encodeWalletMetadata(post.walletMetadata)))
  }
  return {
    method: 'POST',
    headers: { accept: REQUEST_OBJECT_MEDIA_TYPE, 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  }
}

/**
 * Reads the body of a request_uri POST; unknown members are ignored.
 *
 * @throws {ProtocolError} `invalid_request`: `wallet_nonce` too long or not URL-safe, `wallet_metadata` not JSON.
 *
 * Source: OpenID4VP 1.0, sections 5.10 and 10.1.
 */
export function parseRequestUriPost(form: ReadonlyMap<string, string>): RequestUriPost {
  const walletNonce = form.get('wallet_nonce')
  if (walletNonce !== undefined) {
    if (walletNonce.length > MOST_NONCE_CHARACTERS || !URL_SAFE.test(walletNonce)) {
      throw new ProtocolError(
        'invalid_request',
        'The wallet_nonce is too long or not URL-safe. Send another one.',
      )
    }
  }
  const text = form.get('wallet_metadata')
  return { walletNonce, walletMetadata: text === undefined ? undefined : parseWalletMetadata(text) }
}

function parseWalletMetadata(text: string): WalletMetadata {
  const json = parseJson(text)
  const parsed = walletMetadataSchema.safeParse(json.ok && isJsonObject(json.value) ? json.value : undefined)
  if (!parsed.success) {
    throw new ProtocolError('invalid_request', 'The wallet_metadata is malformed. Send a JSON object.')
  }
  const data = parsed.data
  return {
    issuer: data.issuer,
    clientIdPrefixes: data.client_id_prefixes_supported,
    formats: data.vp_formats_supported === undefined ? undefined : Object.keys(data.vp_formats_supported),
    requestObjectAlgorithms: data.request_object_signing_alg_values_supported,
    encryptionAlgorithms: data.authorization_encryption_alg_values_supported,
    encryptionEncs: data.authorization_encryption_enc_values_supported,
    requestEncryption: chooseRequestEncryption(data),
  }
}

// A wallet that brings keys and algorithms may be sent an encrypted object; one that brings half of it is not.
function chooseRequestEncryption(
  data: z.infer<typeof walletMetadataSchema>,
): WalletMetadata['requestEncryption'] {
  const { request_object_encryption_alg_values_supported: algs, jwks } = data
  if (algs?.includes('ECDH-ES') !== true || jwks === undefined) return undefined
  try {
    // A128CBC-HS256 is what it means to name none (RFC 7591, section 2), and is not spoken here.
    return chooseEncryptionKey(jwks, data.request_object_encryption_enc_values_supported ?? [])
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw new ProtocolError('invalid_request', 'The jwks of the wallet_metadata is malformed.')
  }
}

/**
 * Encrypts a signed request object to the wallet that asked for it.
 *
 * Source: OpenID4VP 1.0, section 5.10; RFC 9101, sections 4 and 10.3.
 */
export function encryptRequestObject(
  requestObject: string,
  to: NonNullable<WalletMetadata['requestEncryption']>,
): Promise<string> {
  return encryptJwe(utf8(requestObject), { ...to, cty: 'oauth-authz-req+jwt' })
}

/**
 * Writes wallet metadata with its wire names.
 *
 * Source: OpenID4VP 1.0, section 10.1.
 */
export function encodeWalletMetadata(metadata: WalletMetadata): JsonObject {
  return wireObject({
    issuer: metadata.issuer,
    client_id_prefixes_supported: metadata.clientIdPrefixes,
    vp_formats_supported:
      metadata.formats === undefined
        ? undefined
        : Object.fromEntries(metadata.formats.map((format) => [format, formatAlgorithms(format, metadata)])),
    request_object_signing_alg_values_supported: metadata.requestObjectAlgorithms,
    authorization_encryption_alg_values_supported: metadata.encryptionAlgorithms,
    authorization_encryption_enc_values_supported: metadata.encryptionEncs,
    ...requestEncryption(metadata.requestEncryptionKeys ?? []),
  })
}

function requestEncryption(keys: readonly PublicJwk[]): JsonObject {
  if (keys.length === 0) return {}
  const jwks = {
    keys: keys.map(({ kty, crv, x, y, kid, use, alg }) => wireObject({ kty, crv, x, y, kid, use, alg })),
  }
  return {
    jwks,
    request_object_encryption_alg_values_supported: ['ECDH-ES'],
    request_object_encryption_enc_values_supported: ['A256GCM', 'A128GCM'],
  }
}

function formatAlgorithms(format: string, { sdJwtAlgorithms }: WalletMetadata): JsonObject {
  if (format !== 'dc+sd-jwt' || sdJwtAlgorithms === undefined) return {}
  return { 'sd-jwt_alg_values': sdJwtAlgorithms.issuer, 'kb-jwt_alg_values': sdJwtAlgorithms.keyBinding }
}
