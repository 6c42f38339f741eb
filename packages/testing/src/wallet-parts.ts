/**
 * What a fake wallet is made of: its keys, and how it answers one request.
 *
 * @module
 */
import type { Clock, JsonObject, Random } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type Signer } from '@attache/keys'
import {
  type AuthorizationRequest,
  type DcqlQuery,
  matchDcqlQuery,
  parseTransactionData,
  type VpToken,
} from '@attache/openid4vp'
import { parseHeldSdJwtVc } from '@attache/sd-jwt'
import type { FakeIssuer } from './fake-issuer.js'
import { issueWithFault, type PresentationFault, presentWithFault } from './presentation-fault.js'

/** What a fake wallet is to be. */
export interface FakeWalletOptions {
  /** Reads the time of the test. */
  readonly clock: Clock
  /** Issues its credential and attests it. */
  readonly issuer: FakeIssuer
  /** What its credential says. */
  readonly claims: JsonObject
  /** Client identifier of the agent. @default `fake-agent` */
  readonly clientId?: string
  /** What is wrong with everything it presents. @default nothing */
  readonly fault?: PresentationFault
}

/** Keys and facts of one wallet, for its two routes. */
export interface WalletParts {
  readonly clientId: string
  readonly credential: string
  readonly instance: Signer
  readonly dpop: Signer
  readonly clock: Clock
  readonly random: Random
  attestation(): Promise<string>
  /** Makes the presentations that answer a request; nothing when the credential does not answer it. */
  present(request: AuthorizationRequest, audience: string): Promise<VpToken | undefined>
}

/** Makes keys, and a credential for one of them. */
export async function createWalletParts(
  { issuer, clock, claims, fault, clientId = 'fake-agent' }: FakeWalletOptions,
  { random }: { readonly random: Random },
): Promise<WalletParts> {
  const [holder, dpop, instance] = [freshKey(), freshKey(), freshKey()]
  const credential = await issueWithFault(issuer, { claims, holderKey: holder.publicJwk, clock, fault })
  return {
    clientId,
    credential,
    instance,
    dpop,
    clock,
    random,
    attestation: () => issuer.attest(clientId, instance.publicJwk),
    present: (request, audience) => present(request, { credential, holder, audience, now: clock(), fault }),
  }
}

const freshKey = (): Signer => createSoftwareSigner(generatePrivateJwk('ES256'))

async function present(
  request: AuthorizationRequest,
  facts: {
    readonly credential: string
    readonly holder: Signer
    readonly audience: string
    readonly now: number
    readonly fault: PresentationFault | undefined
  },
): Promise<VpToken | undefined> {
  const { dcqlQuery: query, transactionData = [], nonce } = request
  if (query === undefined) return undefined
  const { vct, claims } = parseHeldSdJwtVc(facts.credential)
  const asked = facts.fault === 'other_values' ? withoutValues(query) : query
  const match = matchDcqlQuery(asked, [{ id: 'only', format: 'dc+sd-jwt', vct, claims, holderBound: true }])
  if (!match.satisfied) return undefined
  const entries = transactionData.map((text) => parseTransactionData(text, query))
  const made = match.selections.map(async (selection) => {
    const { queryId } = selection
    // An entry may name several credentials and is signed by one of them: here, by the first.
    const own = entries.filter(({ credentialIds: [first] }) => first === queryId)
    return [queryId, [await presentWithFault({ ...facts, selection, nonce, transactionData: own })]] as const
  })
  return new Map(await Promise.all(made))
}

// As a wallet that does not look at them, or does not care.
function withoutValues(query: DcqlQuery): DcqlQuery {
  const credentials = query.credentials.map((credential) => ({
    ...credential,
    claims: credential.claims?.map(({ id, path }) => ({ id, path })),
  }))
  return { ...query, credentials }
}
