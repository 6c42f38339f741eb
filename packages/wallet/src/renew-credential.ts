/**
 * Renewal: a new credential before the old one ends, without a person.
 *
 * Owns when a credential is due (a share of its life before its end, or few copies left) with a jitter of its
 * own, so that a fleet does not come at once; and how long to wait after a failure. The old credential serves
 * until the new one is kept.
 *
 * Source: OpenID4VCI 1.0, sections 13.5 and 14.5; RFC 6749, section 6; threat model, row 19.
 *
 * @module
 */
import type { ReceiveReply } from '@attache/agent'
import type { NumericDate } from '@attache/core'
import { sha256 } from '@attache/keys'
import { abort } from './abort.js'
import { clientInstanceAt } from './client-instance.js'
import { discoverIssuer, fetchServer } from './discover-issuer.js'
import type { CredentialCard, HeldCredential } from './held-credential.js'
import { requestIssuanceToken } from './issuance-token.js'
import type { WalletAgent } from './options.js'
import { checkPlan, type IssuancePlan, wantedConfigurations } from './plan-issuance.js'
import { type ReceiveDeps, redeem } from './redeem-token.js'

/** The last fifth of a credential's life is for renewing it. */
const RENEWAL_SHARE = 0.2
/** Copies left at which a set for single use is topped up: a quarter. */
const LOW_WATER_SHARE = 0.25
const FIRST_BACKOFF_SECONDS = 60
const MOST_BACKOFF_SECONDS = 6 * 3600

/**
 * When a credential is to be renewed.
 *
 * @returns `undefined` for one that never ends or cannot be renewed.
 */
export function renewalTime(held: CredentialCard): NumericDate | undefined {
  if (!held.renewable || held.expiresAt === undefined) return undefined
  const window = Math.floor((held.expiresAt - held.receivedAt) * RENEWAL_SHARE)
  // Spread over the first half of the window, by the credential's own id: the same after every restart.
  return held.expiresAt - window + Math.floor((window / 2) * spread(held.id))
}

/** Whether a set of copies for single use is to be topped up. */
export function isLow(held: CredentialCard, copiesLeft: number): boolean {
  if (held.use !== 'once' || !held.renewable) return false
  return copiesLeft <= Math.floor(held.copyIds.length * LOW_WATER_SHARE)
}

/**
 * How long to wait after a number of failures, in seconds: doubling, with a jitter of a quarter.
 *
 * @param id What fails; two of them wait differently.
 */
export function backoffSeconds(failures: number, id: string): number {
  const base = Math.min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), MOST_BACKOFF_SECONDS)
  return Math.round(base * (1 + spread(`${id}:${failures}`) / 4))
}

/** A number from 0 to 1 that a text always gives. */
function spread(text: string): number {
  const [high = 0, low = 0] = sha256(new TextEncoder().encode(text))
  return (high * 256 + low) / 65_535
}

/**
 * Renews a credential with its refresh token.
 *
 * @returns How far it got: `pending` where the issuer takes its time, or does not answer at the moment.
 * @throws {VerificationError} A code of `ISSUANCE_ABORTS`; the old credential stays.
 */
export async function renewCredential(
  facts: { readonly agent: WalletAgent; readonly held: HeldCredential; readonly now: NumericDate },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  const { agent, held, now } = facts
  const { renewal } = held
  const issuer = deps.options.issuers.find(
    ({ credentialIssuer }) => credentialIssuer === held.credentialIssuer,
  )
  if (issuer === undefined || renewal === undefined) throw abort('untrusted_issuer')

  const metadata = await discoverIssuer(issuer, {
    fetch: deps.fetch,
    algorithms: deps.options.algorithms,
    now,
  })
  const server = await fetchServer(renewal.authorizationServer, deps)
  const wanted = wantedConfigurations([held.configurationId], metadata, issuer)
  const plan: IssuancePlan = { agent, issuer, metadata, server, wanted, profile: deps.options.profile }
  checkPlan(plan, 'refresh_token')
  const client = await clientInstanceAt(
    { agent: agent.id, clientId: agent.clientId, authorizationServer: server.issuer },
    deps,
  )
  const request = { grantType: 'refresh_token', refreshToken: renewal.refreshToken } as const
  const fresh = await requestIssuanceToken({ plan, client, request, now }, deps)
  await keepRotatedToken(facts, fresh.refreshToken, deps)

  const known = renewal.credentialIdentifiers
  const named = fresh.credentialIdentifiers.size > 0 || known === undefined
  const credentialIdentifiers = named ? fresh.credentialIdentifiers : new Map([[held.configurationId, known]])
  return redeem({ plan, client, token: { ...fresh, credentialIdentifiers }, now }, deps)
}

// A rotated token is the only one that still counts; losing it would end every later renewal.
async function keepRotatedToken(
  { agent, held }: { readonly agent: WalletAgent; readonly held: HeldCredential },
  refreshToken: string | undefined,
  deps: ReceiveDeps,
): Promise<void> {
  const { renewal } = held
  if (refreshToken === undefined || renewal === undefined || refreshToken === renewal.refreshToken) return
  await deps.held.alter(agent.id, held.id, (current) => ({
    ...current,
    renewal: { ...renewal, refreshToken },
  }))
}
