/**
 * Fake issuer and wallet for the unit tests of API teams; no network, and keys that no production verifier takes.
 *
 * @module
 */
export type { AgentFetch } from './agent-fetch.js'
export type { FakeClock } from './fake-clock.js'
export { createFakeClock } from './fake-clock.js'
export type { FakeCredential, FakeIssuer, FakeIssuerOptions } from './fake-issuer.js'
export { createFakeIssuer } from './fake-issuer.js'
export type { FakeWallet } from './fake-wallet.js'
export { createFakeWallet } from './fake-wallet.js'
export type { PresentationFault } from './presentation-fault.js'
export { PRESENTATION_FAULTS } from './presentation-fault.js'
export type { TestBench, TestBenchOptions } from './test-bench.js'
export { createTestBench } from './test-bench.js'
export type { FakeWalletOptions } from './wallet-parts.js'
