/**
 * Our wallet with one agent, trusting one issuer and answering one verifier.
 *
 * @module
 */
import { createMemoryStore, systemClock, systemRandom } from '@attache/core'
import { createEnvelope, type TrustAnchors } from '@attache/keys'
import { createRulePdp } from '@attache/policy'
import {
  createWallet,
  createWalletProvider,
  type TrustedIssuer,
  type TrustedVerifier,
  type Wallet,
  type WalletOptions,
} from '@attache/wallet'
import { CLIENT } from './openid4vc-wallet.js'
import { outboundFetch } from './our-verifier.js'
import { type Certified, recordingLog } from './world.js'

export const AGENT = 'payroll-export'

/** A verifier as our wallet knows it. */
export type KnownVerifier = Pick<TrustedVerifier, 'clientId' | 'requestAudience'> & {
  readonly origin: string
  readonly anchors: TrustAnchors
}

export interface OurWallet {
  readonly wallet: Wallet
  readonly lines: readonly string[]
}

/** @param facts.provider Vouches for the wallet's instances. */
export function createOurWallet(
  facts: {
    readonly provider: Certified
    readonly issuers: readonly TrustedIssuer[]
    readonly verifiers?: readonly KnownVerifier[]
  },
  options: Partial<WalletOptions> = {},
): OurWallet {
  const { log, lines } = recordingLog()
  const verifiers = facts.verifiers ?? []
  const rules = verifiers.map(({ clientId }, at) => ({
    id: `payroll-${at}`,
    effect: 'allow',
    principals: [{ type: 'Agent', id: AGENT }],
    actions: ['present'],
    resources: [{ type: 'Verifier', id: clientId }],
    when: [{ path: ['context', 'claims'], op: 'subset', value: ['role', 'region'] }],
  }))
  const wallet = createWallet(
    {
      profile: 'base',
      algorithms: ['ES256'],
      agents: [{ id: AGENT, clientId: CLIENT }],
      issuers: facts.issuers,
      verifiers: verifiers.map(({ origin, ...verifier }) => ({
        ...verifier,
        apis: [],
        hosts: [new URL(origin).host],
      })),
      ...options,
    },
    {
      store: createMemoryStore({ clock: systemClock }),
      envelope: createEnvelope([{ id: 'm1', key: systemRandom(32) }], { random: systemRandom }),
      fetch: outboundFetch,
      clock: systemClock,
      random: systemRandom,
      log,
      pdp: createRulePdp(rules),
      attester: createWalletProvider(
        { issuer: 'https://provider.example' },
        { signer: facts.provider.signer },
      ),
    },
  )
  return { wallet, lines }
}
