/**
 * `client_metadata`: the three members in which a verifier says what it can read.
 *
 * Keys in its `jwks` encrypt responses; they never verify a request's signature.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 8.3 and 11.1; Appendix B.3.4.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import { type PublicJwk, parsePublicJwk } from '@attache/keys'
import { z } from 'zod'
import { wireObject } from './wire-object.js'

/** Algorithms of the `dc+sd-jwt` format; an absent list says nothing. */
export interface SdJwtFormat {
  /** `sd-jwt_alg_values`: of the issuer-signed JWT. */
  readonly issuerAlgorithms?: readonly string[] | undefined
  /** `kb-jwt_alg_values`: of the KB-JWT. */
  readonly keyBindingAlgorithms?: readonly string[] | undefined
}

/** What a verifier says about itself in a request. */
export interface ClientMetadata {
  /** Present when the format `dc+sd-jwt` is accepted. */
  readonly sdJwt?: SdJwtFormat | undefined
  /** Usable encryption keys, in their order; keys of unknown kinds are skipped. */
  readonly encryptionKeys: readonly PublicJwk[]
  /** `encrypted_response_enc_values_supported`; absent means `A128GCM` alone. */
  readonly encryptedResponseEncs?: readonly string[] | undefined
}

const algorithms = z.array(z.string().min(1)).min(1).optional()
const clientMetadataSchema = z.object({
  vp_formats_supported: z
    .object({
      'dc+sd-jwt': z.object({ 'sd-jwt_alg_values': algorithms, 'kb-jwt_alg_values': algorithms }).optional(),
    })
    .optional(),
  jwks: z.object({ keys: z.array(z.unknown()) }).optional(),
  encrypted_response_enc_values_supported: algorithms,
})

/**
 * Reads `client_metadata`; members other than the three defined ones are ignored.
 *
 * @throws {ProtocolError} `invalid_request`: a defined member is malformed.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function parseClientMetadata(value: unknown): ClientMetadata {
  const parsed = clientMetadataSchema.safeParse(value)
  if (!parsed.success) {
    throw new ProtocolError('invalid_request', 'client_metadata is malformed. Correct the named members.')
  }
  const format = parsed.data.vp_formats_supported?.['dc+sd-jwt']
  return {
    sdJwt:
      format === undefined
        ? undefined
        : {
            issuerAlgorithms: format['sd-jwt_alg_values'],
            keyBindingAlgorithms: format['kb-jwt_alg_values'],
          },
    encryptionKeys: (parsed.data.jwks?.keys ?? []).flatMap(parseEncryptionKey),
    encryptedResponseEncs: parsed.data.encrypted_response_enc_values_supported,
  }
}

// A set may hold keys of kinds unknown here or meant for something else: those are passed over.
function parseEncryptionKey(value: unknown): readonly PublicJwk[] {
  try {
    const jwk = parsePublicJwk(value)
    return jwk.use === undefined || jwk.use === 'enc' ? [jwk] : []
  } catch {
    return []
  }
}

/**
 * Writes `client_metadata` with its wire names.
 *
 * Source: OpenID4VP 1.0, section 5.1; Appendix B.3.4.
 */
export function encodeClientMetadata(metadata: ClientMetadata): JsonObject {
  const { sdJwt, encryptionKeys } = metadata
  return wireObject({
    vp_formats_supported: sdJwt === undefined ? undefined : { 'dc+sd-jwt': encodeSdJwtFormat(sdJwt) },
    jwks: encryptionKeys.length === 0 ? undefined : { keys: encryptionKeys.map(encodeKey) },
    encrypted_response_enc_values_supported: metadata.encryptedResponseEncs,
  })
}

function encodeSdJwtFormat(format: SdJwtFormat): JsonObject {
  return wireObject({
    'sd-jwt_alg_values': format.issuerAlgorithms,
    'kb-jwt_alg_values': format.keyBindingAlgorithms,
  })
}

function encodeKey(jwk: PublicJwk): JsonObject {
  const { kty, crv, x, y, n, e, kid, use, alg } = jwk
  return wireObject({ kty, crv, x, y, n, e, kid, use, alg })
}
