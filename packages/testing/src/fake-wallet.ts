/**
 * A wallet in memory: one credential, an attested client, the wallet's half of both routes to a verifier.
 *
 * It trusts every verifier and asks nobody before it shows something: it is there to test an API, and says
 * nothing about how a wallet decides.
 *
 * @module
 */
import { type Handler, type Random, type Route, systemRandom } from '@attache/core'
import { type AgentFetch, createAgentFetch } from './agent-fetch.js'
import { answerTransaction } from './answer-transaction.js'
import { createWalletParts, type FakeWalletOptions } from './wallet-parts.js'

/** A wallet in memory. */
export interface FakeWallet {
  /** The credential, as issued. */
  readonly credential: string
  /**
   * A `fetch` for one API in this process: on a challenge it presents and sends the request once more.
   *
   * @param api.routes `routes` of the verifier under test.
   * @param api.handle The API itself: gets the requests as a client of the public origin sends them.
   */
  connect(api: { readonly routes: readonly Route[]; readonly handle: Handler }): AgentFetch
  /**
   * Answers a plain OpenID4VP transaction.
   *
   * @param requestUrl As `startTransaction` gives it.
   * @returns What the verifier answered to the response.
   */
  answerTransaction(requestUrl: string, routes: readonly Route[]): Promise<Response>
}

/** Creates a wallet that holds one credential. */
export async function createFakeWallet(
  options: FakeWalletOptions,
  deps: { readonly random: Random } = { random: systemRandom },
): Promise<FakeWallet> {
  const parts = await createWalletParts(options, deps)
  return {
    credential: parts.credential,
    connect: (api) => createAgentFetch(api, parts),
    answerTransaction: (requestUrl, routes) => answerTransaction(requestUrl, routes, parts),
  }
}
