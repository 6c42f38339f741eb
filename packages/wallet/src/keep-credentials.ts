/**
 * From a token to kept credentials: make keys, ask, verify, keep in one commit, tell the issuer.
 *
 * Owns that nothing is kept before the last check, that what is kept is durable before it is acknowledged,
 * and that an older credential of the same issuer and type gives way to the new one in the same commit.
 *
 * Source: OpenID4VCI 1.0, sections 3.3.2, 8, 11.1, 13.8 and 14.5; threat model, row 28.
 *
 * @module
 */
import { type Log, type NumericDate, type Random, randomId, type StoreStep } from '@attache/core'
import type { JwsAlgorithm, KeyProvider } from '@attache/keys'
import type { CredentialResponse } from '@attache/openid4vci'
import type { ClientInstance } from './client-instance.js'
import type { CredentialCard, HeldCredential } from './held-credential.js'
import type { HeldCredentials } from './held-credentials.js'
import type { IssuanceToken } from './issuance-token.js'
import { notifyIssuer } from './notify-issuer.js'
import type { OwnStatus } from './own-status.js'
import type { PendingCredential, PendingDeferred, PendingIssuances } from './pending-issuance.js'
import type { IssuancePlan, WantedConfiguration } from './plan-issuance.js'
import { planProof, type RequestCredentialDeps, requestCredential } from './request-credential.js'
import { localNames } from './type-names.js'
import { type ProvenKey, verifyReceived } from './verify-received.js'

/** An issuance that has its token. */
export interface TokenFacts {
  readonly plan: IssuancePlan
  readonly client: ClientInstance
  readonly token: IssuanceToken
  readonly pending: PendingCredential
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
}

/** What keeping needs. */
export interface KeepDeps extends RequestCredentialDeps {
  readonly keysOf: (agent: string) => KeyProvider
  readonly held: HeldCredentials
  readonly pendings: PendingIssuances
  readonly status: OwnStatus
  readonly log: Log
  readonly random: Random
}

/** What became of one credential. */
export type KeptCredential =
  | { readonly kind: 'stored'; readonly held: HeldCredential; readonly notes: readonly string[] }
  | { readonly kind: 'deferred'; readonly pending: PendingDeferred }

/** How many copies are asked for when the issuer allows several. */
const DEFAULT_COPIES = 10
/** Languages of the issuer's name for a credential that are kept with it. */
const MOST_NAMES = 8
/** A deferred credential is given up after so long, in seconds. */
const DEFERRAL_SECONDS = 7 * 86_400

/** One credential of a plan, and what becomes of the pending issuance in the commit that keeps it. */
interface Order {
  readonly wanted: WantedConfiguration
  readonly identifier: string | undefined
  readonly settle: () => Promise<StoreStep>
}

/** Fetches and keeps every credential of a plan that is not kept yet. */
export function keepCredentials(facts: TokenFacts, deps: KeepDeps): Promise<readonly KeptCredential[]> {
  return deps.pendings.working(facts.pending.id, () => keepInOrder(facts, deps))
}

async function keepInOrder(facts: TokenFacts, deps: KeepDeps): Promise<readonly KeptCredential[]> {
  const orders = facts.plan.wanted.flatMap((wanted) =>
    (facts.token.credentialIdentifiers.get(wanted.id) ?? [undefined]).map((identifier) => ({
      wanted,
      identifier,
    })),
  )
  const kept: KeptCredential[] = []
  let pending = { ...facts.pending, keyRefs: undefined }
  for (const [at, order] of orders.entries()) {
    if (at < (facts.pending.done ?? 0)) continue
    const next = { ...pending, done: at + 1 }
    const settle = async () =>
      next.done === orders.length ? deps.pendings.removing(pending) : deps.pendings.storing(next)
    kept.push(await keepOne({ ...facts, pending }, { ...order, settle }, deps))
    pending = next
  }
  return kept
}

async function keepOne(facts: TokenFacts, order: Order, deps: KeepDeps): Promise<KeptCredential> {
  const { plan, client, token } = facts
  const provider = deps.keysOf(plan.agent.id)
  const keys = await makeKeys(facts, order.wanted, deps)
  const keyRefs = keys.map(({ ref }) => ref)
  await deps.pendings.commit([await deps.pendings.storing({ ...facts.pending, keyRefs })])
  // Settling is the last thing before the commit: from there on what is stored may need the keys.
  let settling = false
  const settle = async () => {
    settling = true
    return order.settle()
  }
  try {
    const signers = keys.map(({ signer }) => signer)
    const request = { plan, ...order, accessToken: token.accessToken, client, keys: signers }
    const response = await requestCredential(request, deps)
    if (response.state === 'pending') return await defer(facts, { ...order, settle, keys, response }, deps)
    return await keepResponse(facts, { ...order, settle, keys, response }, deps)
  } catch (error) {
    if (!settling) await Promise.all(keys.map(({ ref }) => provider.destroy(ref)))
    throw error
  }
}

async function makeKeys(
  facts: TokenFacts,
  wanted: WantedConfiguration,
  deps: KeepDeps,
): Promise<readonly ProvenKey[]> {
  if (planProof(wanted, deps.attester) === 'none') return []
  const provider = deps.keysOf(facts.plan.agent.id)
  const count = Math.min(facts.plan.issuer.copies ?? DEFAULT_COPIES, facts.plan.metadata.batchSize ?? 1)
  const keys: ProvenKey[] = []
  for (let made = 0; made < count; made += 1) {
    const { ref } = await provider.generate('ES256')
    keys.push({ ref, signer: await provider.signer(ref) })
  }
  return keys
}

async function defer(
  facts: TokenFacts,
  order: Order & {
    readonly keys: readonly ProvenKey[]
    readonly response: Extract<CredentialResponse, { state: 'pending' }>
  },
  deps: KeepDeps,
): Promise<KeptCredential> {
  const { agent, credentialIssuer, authorizationServer, createdAt } = facts.pending
  const pending: PendingDeferred = {
    agent,
    credentialIssuer,
    authorizationServer,
    createdAt,
    stage: 'deferred',
    id: randomId(deps.random, 'txn'),
    configurationIds: [order.wanted.id],
    deadline: facts.now + DEFERRAL_SECONDS,
    token: facts.token,
    transactionId: order.response.transactionId,
    nextPollAt: facts.now + order.response.interval,
    keyRefs: order.keys.map(({ ref }) => ref),
  }
  await deps.pendings.commit([await deps.pendings.storing(pending), await order.settle()])
  return { kind: 'deferred', pending }
}

/** Verifies and keeps what one response held; used by the first answer and by the last poll alike. */
export async function keepResponse(
  facts: Omit<TokenFacts, 'pending'>,
  order: Omit<Order, 'identifier'> & {
    readonly keys: readonly ProvenKey[]
    readonly response: Extract<CredentialResponse, { state: 'issued' }>
  },
  deps: KeepDeps,
): Promise<KeptCredential> {
  const { plan, client, token, now } = facts
  const { wanted, keys, response } = order
  const { notificationEndpoint: endpoint } = plan.metadata
  const notification = {
    endpoint,
    notificationId: response.notificationId,
    accessToken: token.accessToken,
    client,
  }
  const received = {
    plan,
    wanted,
    credentials: response.credentials,
    keys,
    algorithms: facts.algorithms,
    now,
  }
  const verified = await verifyReceived(received, deps).catch(async (error: unknown) => {
    await notifyIssuer({ ...notification, event: 'credential_failure' }, deps)
    throw error
  })

  const held: HeldCredential = {
    id: randomId(deps.random, 'crd'),
    credentialIssuer: plan.issuer.credentialIssuer,
    configurationId: wanted.id,
    vct: wanted.configuration.vct,
    authorityKeyIds: verified.authorityKeyIds,
    receivedAt: now,
    expiresAt: verified.expiresAt,
    copies: verified.copies,
    use: plan.issuer.use ?? 'reuse',
    state: verified.state,
    ...(verified.lookedAt === undefined ? {} : { lookedAt: verified.lookedAt }),
    names: namesOf(wanted),
    renewal: renewalOf(facts, wanted.id),
  }
  const older = await olderOnes(held, plan.agent.id, deps)
  const replaced = await keysOfOlder(older, plan.agent.id, deps)
  const steps = [await order.settle()]
  await deps.held.keep(plan.agent.id, held, { removing: older.map(({ id }) => id), steps })

  await destroyUnused({ held, keys, replaced }, deps.keysOf(plan.agent.id))
  await notifyIssuer({ ...notification, event: 'credential_accepted' }, deps)
  return { kind: 'stored', held, notes: verified.claimedIssuerDiffers ? ['claimed_issuer_differs'] : [] }
}

function namesOf({ configuration }: WantedConfiguration): HeldCredential['names'] {
  const named = (configuration.display ?? []).flatMap(({ locale, name }) =>
    name === undefined ? [] : [{ locale, name }],
  )
  return named.length === 0 ? undefined : localNames(named).slice(0, MOST_NAMES)
}

function renewalOf(
  facts: Pick<TokenFacts, 'plan' | 'token'>,
  configurationId: string,
): HeldCredential['renewal'] {
  const { refreshToken, scope, credentialIdentifiers } = facts.token
  if (refreshToken === undefined) return undefined
  const authorizationServer = facts.plan.server.issuer
  return {
    authorizationServer,
    refreshToken,
    scope,
    credentialIdentifiers: credentialIdentifiers.get(configurationId),
  }
}

// One active set per issuer, configuration and agent: the newest says what the issuer says now.
async function olderOnes(
  held: HeldCredential,
  agent: string,
  deps: KeepDeps,
): Promise<readonly CredentialCard[]> {
  const all = await deps.held.cards(agent)
  return all.filter(
    ({ id, credentialIssuer, configurationId }) =>
      id !== held.id &&
      credentialIssuer === held.credentialIssuer &&
      configurationId === held.configurationId,
  )
}

async function keysOfOlder(
  older: readonly CredentialCard[],
  agent: string,
  deps: KeepDeps,
): Promise<readonly string[]> {
  const opened = await Promise.all(older.map(({ id }) => deps.held.open(agent, id)))
  return opened.flatMap((held) => held?.copies ?? []).flatMap(({ keyRef }) => keyRef ?? [])
}

async function destroyUnused(
  {
    held,
    keys,
    replaced,
  }: {
    readonly held: HeldCredential
    readonly keys: readonly ProvenKey[]
    readonly replaced: readonly string[]
  },
  provider: KeyProvider,
): Promise<void> {
  const used = new Set(held.copies.map(({ keyRef }) => keyRef))
  const unused = keys.map(({ ref }) => ref).filter((ref) => !used.has(ref))
  await Promise.all([...unused, ...replaced].map((ref) => provider.destroy(ref)))
}
