/**
 * Offers that stand in the configuration: received at the start, once.
 *
 * Owns "once": an offer that led to a credential is remembered by its digest, so that a restart with the same
 * file asks nobody. One that was refused is tried again at the next start.
 *
 * Source: threat model, row 26.
 *
 * @module
 */
import { type Log, type Store, storeKey } from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import { digest } from '@attache/keys'
import type { Wallet } from '@attache/wallet'
import type { OfferConfiguration } from './listener-configuration.js'

/** What receiving them needs. */
export interface ConfiguredOffersDeps {
  readonly wallet: Wallet
  readonly store: Pick<Store, 'get' | 'put'>
  readonly files: ConfiguredFiles
  readonly log: Log
}

/** A configured offer, read. */
interface ReadOffer {
  readonly agent: string
  readonly link: string
  readonly txCode?: string
}

/**
 * Reads the files now, so that a missing one stops the start; receives the offers when called.
 *
 * @throws {TypeError} `start_up_failed`.
 */
export function readConfiguredOffers(
  { offers, tenant }: { readonly offers: readonly OfferConfiguration[]; readonly tenant: string },
  deps: ConfiguredOffersDeps,
): () => Promise<void> {
  const read = offers.map(({ agent, offer, transactionCodeFile }): ReadOffer => {
    const link = deps.files.text(offer).trim()
    if (transactionCodeFile === undefined) return { agent, link }
    return { agent, link, txCode: deps.files.text(transactionCodeFile).trim() }
  })
  return async () => {
    for (const offer of read) await receiveOnce(offer, tenant, deps)
  }
}

async function receiveOnce(offer: ReadOffer, tenant: string, deps: ConfiguredOffersDeps): Promise<void> {
  const { agent, link, txCode } = offer
  const id = digest('sha-256', `${agent} ${encodeURI(link)}`)
  const key = storeKey({ tenant, room: 'wallet-daemon', kind: 'configured-offer', id })
  if ((await deps.store.get(key)) !== undefined) return
  const reply = await deps.wallet.receive(agent, link, txCode)
  const done = reply.outcome === 'stored' || reply.outcome === 'pending'
  if (done) await deps.store.put(key, { v: 1, outcome: reply.outcome })
  const code = reply.outcome === 'refused' ? { code: reply.code } : {}
  const fields = { agent, outcome: reply.outcome, ...code }
  if (done) deps.log.info('wallet.configured_offer', fields)
  else deps.log.warn('wallet.configured_offer', fields)
}
