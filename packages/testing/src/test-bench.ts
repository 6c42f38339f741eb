/**
 * Everything a unit test of a guarded route needs, in one line: an issuer, a clock, a verifier's options, agents.
 *
 * @module
 */
import { createMemoryStore, type JsonObject, type Random, SILENT_LOG, systemRandom } from '@attache/core'
import type { VerifierDeps, VerifierOptions } from '@attache/verifier'
import { createFakeClock, type FakeClock } from './fake-clock.js'
import { createFakeIssuer, type FakeIssuer } from './fake-issuer.js'
import { createFakeWallet, type FakeWallet } from './fake-wallet.js'
import type { PresentationFault } from './presentation-fault.js'

/** What a bench is for. */
export interface TestBenchOptions {
  /** Public origin of the API under test. */
  readonly origin: string
  /** Credential type its routes ask for. */
  readonly vct: string
}

/** A bench. */
export interface TestBench {
  readonly time: FakeClock
  readonly issuer: FakeIssuer
  /** For `createVerifier`: trusts the fake issuer and its wallets, and lets test keys in. */
  readonly options: VerifierOptions
  /** For `createVerifier`: everything in memory. */
  readonly deps: VerifierDeps
  /** An agent whose wallet holds a credential with these claims; with a fault, everything it presents has it. */
  createAgent(claims: JsonObject, fault?: PresentationFault): Promise<FakeWallet>
}

/** Creates a bench. */
export async function createTestBench(
  { origin, vct }: TestBenchOptions,
  deps: { readonly random: Random } = { random: systemRandom },
): Promise<TestBench> {
  const time = createFakeClock()
  const issuer = await createFakeIssuer({ clock: time.clock, vct }, deps)
  return {
    time,
    issuer,
    options: {
      origin,
      trustedIssuers: [issuer.trustedIssuer],
      walletAttesters: [issuer.trustedAttester],
      keyBinding: 'required',
      allowUnsafeAnchors: true,
    },
    deps: {
      signer: await issuer.createSigner(new URL(origin).hostname),
      store: createMemoryStore(time),
      fetch: issuer.fetch,
      log: SILENT_LOG,
      clock: time.clock,
      random: deps.random,
    },
    createAgent: (claims, fault) =>
      createFakeWallet(
        { clock: time.clock, issuer, claims, ...(fault === undefined ? {} : { fault }) },
        deps,
      ),
  }
}
