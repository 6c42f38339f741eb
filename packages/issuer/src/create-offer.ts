/**
 * Creating a Credential Offer.
 *
 * Owns the use case behind the management call: who may be offered what, the secret, and the two ways a
 * wallet gets it. The offer carries random references only, no claim value.
 *
 * Source: OpenID4VCI 1.0, sections 4.1, 12.1.1 and 13.6.1.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Random, randomId, randomText, type Store } from '@attache/core'
import { type CredentialOffer, makeCredentialOfferUri } from '@attache/openid4vci'
import type { ClaimsSource } from './claims-source.js'
import type { CredentialTemplate } from './credential-template.js'
import type { EndpointUrls } from './endpoint-urls.js'
import type { IssuerOptions, OfferedGrant } from './issuer-options.js'
import { type OfferRecord, offerHandle } from './offer-record.js'
import type { RecordKeys } from './stored-record.js'
import { createTransactionCode, transactionCodeHash } from './transaction-code.js'

/** What an offer is asked for with. */
export interface NewOffer {
  /** Id of the agent the credential is for. */
  readonly agent: string
  /** @default every template of the issuer */
  readonly configurationIds?: readonly string[] | undefined
  readonly by: 'value' | 'reference'
  /** @default the first grant of the issuer's configuration */
  readonly grant?: OfferedGrant | undefined
  /** Where the link leads: a wallet's scheme or https URL. @default `openid-credential-offer://` */
  readonly endpoint?: string | undefined
}

/** A created offer. */
export interface CreatedOffer {
  /** `off_…` */
  readonly id: string
  /** The link: what is sent to the wallet, or shown as a QR code. */
  readonly uri: string
  /** Where the offer can be fetched; only by reference. */
  readonly credentialOfferUri?: string | undefined
  /** The offer itself; only by value. */
  readonly offer?: CredentialOffer | undefined
  /** To be told to the receiver on another channel than the link. */
  readonly txCode?: string | undefined
  readonly expiresAt: NumericDate
}

/** What creating offers needs. */
export interface CreateOfferDeps {
  readonly credentialIssuer: string
  readonly urls: EndpointUrls
  readonly grants: readonly OfferedGrant[]
  readonly transactionCode: IssuerOptions['transactionCode']
  readonly transactionCodeAttempts: number
  readonly offerSeconds: number
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly claims: ClaimsSource
  readonly store: Pick<Store, 'put'>
  readonly keys: RecordKeys
  readonly random: Random
}

/**
 * Creates an offer.
 *
 * @throws {ProtocolError} `unknown_agent`, `unknown_configuration`, `grant_not_offered`: nothing is stored.
 */
export async function createOffer(
  wanted: NewOffer,
  now: NumericDate,
  deps: CreateOfferDeps,
): Promise<CreatedOffer> {
  const grant = wanted.grant ?? deps.grants[0]
  if (grant === undefined || !deps.grants.includes(grant)) {
    throw new ProtocolError(
      'grant_not_offered',
      'This issuer does not offer that grant. See its configuration.',
    )
  }
  const configurationIds = wanted.configurationIds ?? [...deps.templates.keys()]
  checkConfigurations(configurationIds, deps)
  if ((await deps.claims.find(wanted.agent, now)) === undefined) {
    throw new ProtocolError('unknown_agent', 'No agent with an active owner has this id. Import it first.')
  }
  const secret = randomText(deps.random)
  const expiresAt = now + deps.offerSeconds
  const { record, txCode } = newOffer(
    { secret, agent: wanted.agent, configurationIds, grant, expiresAt },
    deps,
  )
  await deps.store.put(deps.keys.hashed('offer', offerHandle(secret)), record, expiresAt)
  return { id: record.id, ...links(wanted, { secret, record }, deps), txCode, expiresAt }
}

/** The offer object of a stored offer. */
export function offerOf(record: OfferRecord, handle: string, credentialIssuer: string): CredentialOffer {
  const { txCode } = record
  const input = txCode && {
    inputMode: txCode.inputMode,
    length: txCode.length,
    description: txCode.description ?? undefined,
  }
  const grants =
    record.grant === 'authorization_code'
      ? { authorizationCode: { issuerState: handle } }
      : { preAuthorizedCode: { preAuthorizedCode: handle, txCode: input ?? undefined } }
  return { credentialIssuer, credentialConfigurationIds: record.configurationIds, grants }
}

function checkConfigurations(ids: readonly string[], deps: CreateOfferDeps): void {
  if (ids.length === 0 || new Set(ids).size !== ids.length || !ids.every((id) => deps.templates.has(id))) {
    throw new ProtocolError(
      'unknown_configuration',
      'Name each credential configuration once, and only known ones.',
    )
  }
}

function newOffer(
  facts: Pick<OfferRecord, 'agent' | 'configurationIds' | 'grant' | 'expiresAt'> & {
    readonly secret: string
  },
  deps: CreateOfferDeps,
): { readonly record: OfferRecord; readonly txCode: string | undefined } {
  const { secret, ...rest } = facts
  const input = rest.grant === 'pre-authorized_code' ? deps.transactionCode : null
  const txCode = input === null ? undefined : (input.fixed ?? createTransactionCode(input, deps.random))
  const record: OfferRecord = {
    v: 1,
    id: randomId(deps.random, 'off'),
    ...rest,
    txCode:
      input === null || txCode === undefined
        ? null
        : {
            inputMode: input.inputMode,
            length: txCode.length,
            description: input.description ?? null,
            hash: transactionCodeHash(offerHandle(secret), txCode),
            attemptsLeft: deps.transactionCodeAttempts,
          },
  }
  return { record, txCode }
}

function links(
  wanted: NewOffer,
  made: { readonly secret: string; readonly record: OfferRecord },
  deps: CreateOfferDeps,
): Pick<CreatedOffer, 'uri' | 'credentialOfferUri' | 'offer'> {
  if (wanted.by === 'reference') {
    const credentialOfferUri = `${deps.urls.offers}/${made.secret}`
    const uri = makeCredentialOfferUri({ by: 'reference', credentialOfferUri }, wanted.endpoint)
    return { uri, credentialOfferUri }
  }
  const offer = offerOf(made.record, offerHandle(made.secret), deps.credentialIssuer)
  return { uri: makeCredentialOfferUri({ by: 'value', offer }, wanted.endpoint), offer }
}
