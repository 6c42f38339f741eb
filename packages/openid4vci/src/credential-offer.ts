/**
 * Credential Offer: the issuer tells a wallet what it may fetch, and with which grant.
 *
 * Owns both halves of the offer object. The link that carries it is `credential-offer-uri.ts`; whether the
 * offered configurations exist is for whoever holds the metadata.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import { isCredentialIssuerIdentifier } from './issuer-identifier.js'
import { made, wireObject } from './make-message.js'
import { type Members, openMembers, optional, readersFor, refusal, required } from './read-members.js'

/**
 * The grant type of a pre-authorized code, and its member name in `grants`.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export const PRE_AUTHORIZED_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'

/**
 * What a wallet says when it asks for the Transaction Code. Present (even empty) means: a code is demanded.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export interface TransactionCodeInput {
  readonly inputMode: 'numeric' | 'text'
  /** Number of characters. */
  readonly length?: number | undefined
  /** At most 300 characters. */
  readonly description?: string | undefined
}

/**
 * The grants of an offer. An offer without grants leaves the choice to the authorization server's metadata.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export interface OfferedGrants {
  readonly authorizationCode?:
    | { readonly issuerState?: string | undefined; readonly authorizationServer?: string | undefined }
    | undefined
  readonly preAuthorizedCode?:
    | {
        readonly preAuthorizedCode: string
        readonly txCode?: TransactionCodeInput | undefined
        readonly authorizationServer?: string | undefined
      }
    | undefined
}

/**
 * A Credential Offer.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export interface CredentialOffer {
  /** Credential Issuer Identifier, byte for byte. */
  readonly credentialIssuer: string
  /** Distinct keys of `credential_configurations_supported`, at least one. */
  readonly credentialConfigurationIds: readonly string[]
  readonly grants?: OfferedGrants | undefined
}

const read = readersFor('invalid_offer')

/**
 * Makes the offer object.
 *
 * @throws {TypeError} `message_refused`: no identifier, no or repeated ids, a description over 300 characters.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export function makeCredentialOffer(offer: CredentialOffer): JsonObject {
  const wire = wireObject({
    credential_issuer: offer.credentialIssuer,
    credential_configuration_ids: offer.credentialConfigurationIds,
    grants: offer.grants && wireGrants(offer.grants),
  })
  return made(wire, parseCredentialOffer)
}

/**
 * Reads an offer object. Unknown members are ignored at every level.
 *
 * @throws {ProtocolError} `invalid_offer`: a member is missing or malformed.
 *
 * Source: OpenID4VCI 1.0, section 4.1.1.
 */
export function parseCredentialOffer(value: unknown): CredentialOffer {
  const from = openMembers(value, '', 'invalid_offer')
  const credentialIssuer = required(from, 'credential_issuer', read.text)
  if (!isCredentialIssuerIdentifier(credentialIssuer)) {
    throw refusal(from, 'credential_issuer', 'must be an https URL without query and fragment.')
  }
  const credentialConfigurationIds = required(from, 'credential_configuration_ids', read.list(read.text))
  if (new Set(credentialConfigurationIds).size !== credentialConfigurationIds.length) {
    throw refusal(from, 'credential_configuration_ids', 'must not name an id twice.')
  }
  const grants = optional(from, 'grants', read.object)
  return { credentialIssuer, credentialConfigurationIds, ...(grants && { grants: parseGrants(grants) }) }
}

function wireGrants(grants: OfferedGrants): JsonObject {
  const { authorizationCode, preAuthorizedCode } = grants
  return wireObject({
    authorization_code:
      authorizationCode &&
      wireObject({
        issuer_state: authorizationCode.issuerState,
        authorization_server: authorizationCode.authorizationServer,
      }),
    [PRE_AUTHORIZED_CODE_GRANT]:
      preAuthorizedCode &&
      wireObject({
        'pre-authorized_code': preAuthorizedCode.preAuthorizedCode,
        tx_code: preAuthorizedCode.txCode && wireTransactionCode(preAuthorizedCode.txCode),
        authorization_server: preAuthorizedCode.authorizationServer,
      }),
  })
}

function wireTransactionCode(input: TransactionCodeInput): JsonObject {
  return wireObject({ input_mode: input.inputMode, length: input.length, description: input.description })
}

function parseGrants(from: Members): OfferedGrants {
  const code = optional(from, 'authorization_code', read.object)
  const preAuthorized = optional(from, PRE_AUTHORIZED_CODE_GRANT, read.object)
  return {
    ...(code && {
      authorizationCode: {
        issuerState: optional(code, 'issuer_state', read.text),
        authorizationServer: optional(code, 'authorization_server', read.text),
      },
    }),
    ...(preAuthorized && {
      preAuthorizedCode: {
        preAuthorizedCode: required(preAuthorized, 'pre-authorized_code', read.text),
        txCode: optional(preAuthorized, 'tx_code', parseTransactionCode),
        authorizationServer: optional(preAuthorized, 'authorization_server', read.text),
      },
    }),
  }
}

function parseTransactionCode(value: unknown, path: string): TransactionCodeInput {
  const from = openMembers(value, path, 'invalid_offer')
  const description = optional(from, 'description', read.words)
  if (description !== undefined && [...description].length > 300) {
    throw refusal(from, 'description', 'must not be longer than 300 characters.')
  }
  return {
    inputMode: optional(from, 'input_mode', read.oneOf(['numeric', 'text'])) ?? 'numeric',
    length: optional(from, 'length', read.integer(1)),
    description,
  }
}
