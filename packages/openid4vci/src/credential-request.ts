/**
 * Credential Request: which credential the wallet wants, and the proofs of the keys to bind it to.
 *
 * Owns both halves of the plain body, and its shape alone. The issuer looks at ids first, at encryption
 * parameters next and at proofs last, so the last two leave this parser unjudged.
 *
 * Source: OpenID4VCI 1.0, section 8.2 and Appendix F.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member, ProtocolError } from '@attache/core'
import { made, wireObject } from './make-message.js'
import { type Members, openMembers, optional, readersFor, refusal } from './read-members.js'

/**
 * How the wanted credential is named: by configuration, or by an identifier from the Token Response.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export type WantedCredential =
  | { readonly by: 'configuration'; readonly credentialConfigurationId: string }
  | { readonly by: 'identifier'; readonly credentialIdentifier: string }

/**
 * The proofs of one request: all of one type.
 *
 * Source: OpenID4VCI 1.0, section 8.2 and Appendix F.
 */
export interface Proofs {
  /** `jwt`, `attestation`, or a type this room does not read. */
  readonly type: string
  /** Compact JWTs; empty for a type this room does not read. */
  readonly values: readonly string[]
}

/**
 * A Credential Request.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export interface CredentialRequest {
  readonly wanted: WantedCredential
  /** Left out also when `proofs` was there and held nothing. */
  readonly proofs?: Proofs | undefined
  /** `credential_response_encryption` as received; `parseResponseEncryption` judges it. */
  readonly responseEncryption?: JsonValue | undefined
}

const CODE = 'invalid_credential_request'
const read = readersFor(CODE)

/**
 * Makes the body of a Credential Request.
 *
 * @throws {TypeError} `message_refused`: an empty id, proofs of a type this room does not read, or none in them.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export function makeCredentialRequest(request: CredentialRequest): JsonObject {
  const { wanted, proofs } = request
  const wire = wireObject({
    credential_configuration_id: wanted.by === 'configuration' ? wanted.credentialConfigurationId : undefined,
    credential_identifier: wanted.by === 'identifier' ? wanted.credentialIdentifier : undefined,
    proofs: proofs && { [proofs.type]: proofs.values },
    credential_response_encryption: request.responseEncryption,
  })
  return made(wire, (body) => {
    // The parser leaves an unknown type and an empty array to the issuer, which accepts neither.
    const parsed = parseCredentialRequest(body)
    if (proofs !== undefined && !parsed.proofs?.values.length) {
      throw new ProtocolError(CODE, 'proofs must be of type jwt or attestation, at least one.')
    }
  })
}

/**
 * Reads the body of a Credential Request. Unknown members are ignored.
 *
 * @throws {ProtocolError} `invalid_credential_request`: both or none of the ids, or malformed `proofs`.
 *
 * Source: OpenID4VCI 1.0, section 8.2.
 */
export function parseCredentialRequest(value: unknown): CredentialRequest {
  const from = openMembers(value, '', CODE)
  return {
    wanted: parseWanted(from),
    proofs: optional(from, 'proofs', parseProofs),
    responseEncryption: member(from.object, 'credential_response_encryption'),
  }
}

function parseWanted(from: Members): WantedCredential {
  const credentialConfigurationId = optional(from, 'credential_configuration_id', read.text)
  const credentialIdentifier = optional(from, 'credential_identifier', read.text)
  if (credentialConfigurationId !== undefined && credentialIdentifier === undefined) {
    return { by: 'configuration', credentialConfigurationId }
  }
  if (credentialIdentifier !== undefined && credentialConfigurationId === undefined) {
    return { by: 'identifier', credentialIdentifier }
  }
  throw new ProtocolError(CODE, 'Send exactly one of credential_configuration_id and credential_identifier.')
}

function parseProofs(value: JsonValue, path: string): Proofs | undefined {
  const from = openMembers(value, path, CODE)
  const [entry, second] = Object.entries(from.object)
  // No proof at all is judged by the issuer: it is `invalid_proof` where the configuration demands one.
  if (entry === undefined) return undefined
  if (second !== undefined) throw new ProtocolError(CODE, 'proofs must have exactly one member.')

  const [type, proofs] = entry
  if (!Array.isArray(proofs)) throw refusal(from, type, 'must be an array.')
  if (proofs.length === 0) return undefined
  if (type !== 'jwt' && type !== 'attestation') return { type, values: [] }
  if (type === 'attestation' && proofs.length !== 1) {
    throw refusal(from, type, 'must hold exactly one key attestation.')
  }
  return { type, values: read.list(read.text)(proofs, `proofs.${type}`) }
}
