/**
 * Planning an issuance: which credential, which grant, which authorization server. No secret is used yet.
 *
 * Source: OpenID4VCI 1.0, sections 4.1.1, 12.2.4 and Appendix D; requirements/wallet-issuance.md, W-01.
 *
 * @module
 */
import type { OutboundFetch } from '@attache/core'
import type { AuthorizationServerMetadata } from '@attache/oauth'
import type { CredentialConfiguration, CredentialOffer, IssuerMetadata } from '@attache/openid4vci'
import { abort } from './abort.js'
import {
  chooseServer,
  type DiscoverIssuerDeps,
  discoverIssuer,
  type IssuanceGrant,
  supportsGrant,
} from './discover-issuer.js'
import type { TrustedIssuer, WalletAgent } from './options.js'
import type { TrustedOffer } from './read-offer.js'

/** One credential that is wanted. */
export interface WantedConfiguration {
  readonly id: string
  readonly configuration: CredentialConfiguration
}

/** Everything an issuance knows before its first secret is sent. */
export interface IssuancePlan {
  readonly agent: WalletAgent
  readonly issuer: TrustedIssuer
  readonly metadata: IssuerMetadata
  readonly server: AuthorizationServerMetadata
  readonly wanted: readonly WantedConfiguration[]
  readonly profile: 'base' | 'haip'
}

/** Plans what an offer allows. Aborts before any token request. */
export async function planFromOffer(
  facts: TrustedOffer & { readonly agent: WalletAgent; readonly profile: 'base' | 'haip' },
  deps: DiscoverIssuerDeps,
): Promise<{ readonly plan: IssuancePlan; readonly grant: IssuanceGrant }> {
  const { offer, issuer, agent, profile } = facts
  const metadata = await discoverIssuer(issuer, deps)
  const wanted = wantedConfigurations(offer.credentialConfigurationIds, metadata, issuer)
  const { server, grant } = await chooseGrant(offer, { issuer, metadata }, deps)
  const plan = { agent, issuer, metadata, server, wanted, profile }
  checkPlan(plan, grant)
  return { plan, grant }
}

/** The configurations to ask for: known to the issuer, and of a type we take from it. */
export function wantedConfigurations(
  ids: readonly string[],
  metadata: IssuerMetadata,
  issuer: TrustedIssuer,
): readonly WantedConfiguration[] {
  const known = ids.map((id) => ({ id, configuration: metadata.credentialConfigurations.get(id) }))
  const wanted = known.flatMap(({ id, configuration }) => {
    if (configuration === undefined) throw abort('unknown_configuration')
    return issuer.vcts.includes(configuration.vct) ? [{ id, configuration }] : []
  })
  if (wanted.length === 0) throw abort('unwanted_credential')
  return wanted
}

async function chooseGrant(
  offer: CredentialOffer,
  facts: { readonly issuer: TrustedIssuer; readonly metadata: IssuerMetadata },
  deps: { readonly fetch: OutboundFetch },
): Promise<{ server: AuthorizationServerMetadata; grant: IssuanceGrant }> {
  const { preAuthorizedCode, authorizationCode } = offer.grants ?? {}
  if (preAuthorizedCode === undefined && authorizationCode === undefined) {
    // No grant offered: what the server announces decides, and without a code only one is left.
    const server = await chooseServer({ ...facts, grant: 'authorization_code' }, deps)
    if (!supportsGrant(server, 'authorization_code', false)) throw abort('no_as')
    return { server, grant: 'authorization_code' }
  }
  const codeFirst = facts.issuer.preferredGrant === 'authorization_code'
  const grant =
    preAuthorizedCode !== undefined && !(codeFirst && authorizationCode !== undefined)
      ? 'pre-authorized_code'
      : 'authorization_code'
  const hint =
    grant === 'pre-authorized_code'
      ? preAuthorizedCode?.authorizationServer
      : authorizationCode?.authorizationServer
  return { server: await chooseServer({ ...facts, grant, hint }, deps), grant }
}

/** What the profile and the proofs demand, known before anything secret is sent. */
export function checkPlan(plan: IssuancePlan, grant: IssuanceGrant): void {
  if (plan.server.tokenEndpoint === undefined) throw abort('metadata')
  for (const { configuration } of plan.wanted) {
    if (grant === 'authorization_code' && plan.profile === 'haip' && configuration.scope === undefined) {
      throw abort('no_scope')
    }
  }
}
