/**
 * The inbox: offers that come in by themselves, up to the operator's word or a kept credential.
 *
 * Owns what happens without a person: an offer is looked at (its issuer trusted, its metadata fetched), received
 * if it needs nothing more, and kept waiting if it needs a transaction code, which comes by another channel. An
 * offer that was pushed and asks for no code is refused: whoever holds a link must not fill a wallet with it.
 *
 * Source: OpenID4VCI 1.0, sections 13.6 and 15.6; threat model, row 26.
 *
 * @module
 */
import type { ReceiveReply, WaitingOffer } from '@attache/agent'
import type { Log } from '@attache/core'
import { parseCredentialOfferUri } from '@attache/openid4vci'
import type { Wallet } from '@attache/wallet'
import type { InboxFolder, OfferFile } from './inbox-folder.js'

/** The inbox. */
export interface Inbox {
  /** One look at the folder; looks follow each other. */
  look(): Promise<void>
  /** What waits for the operator. */
  waiting(): readonly WaitingOffer[]
  /** @returns `undefined` when nothing waits under this id. */
  accept(id: string, txCode?: string): Promise<ReceiveReply | undefined>
  /** Looks no more; resolves when the look under way has ended. */
  close(): Promise<void>
}

/** What the inbox needs. */
export interface InboxDeps {
  readonly wallet: Pick<Wallet, 'inspectOffer' | 'receive'>
  readonly folder: InboxFolder
  readonly log: Log
}

/** Refusals that may be a peer's bad day: everything else will be the same in a minute. */
const PASSING: readonly string[] = ['metadata', 'invalid_offer', 'agent_stopped']
/** How often such an offer is looked at, each time twice as many looks later. */
const MOST_TRIES = 10
/** A push needs no login, so an address that holds no offer must not take a place from one that does for long. */
const MOST_TRIES_PUSHED = 5

/** What the inbox knows between two looks. All of it is made anew from the folder after a restart. */
interface Desk extends InboxDeps {
  readonly waiting: Map<string, { readonly offer: OfferFile; readonly entry: WaitingOffer }>
  readonly tries: Map<string, { readonly count: number; readonly nextLook: number }>
  /** Under the operator's hand right now. */
  readonly accepted: Set<string>
  readonly most: number
  /** Aborted: no further offer is looked at. */
  readonly signal: AbortSignal
}

/** Creates the inbox. @param most How many offers may wait; what comes on top stays unread. */
export function createInbox(most: number, deps: InboxDeps): Inbox {
  const closing = new AbortController()
  const { signal } = closing
  const desk: Desk = { ...deps, most, signal, waiting: new Map(), tries: new Map(), accepted: new Set() }
  let looks = 0
  let looking: Promise<void> = Promise.resolve()
  const round = async () => {
    looks += 1
    await lookThrough(desk, looks)
  }
  return {
    look() {
      looking = looking.then(round).catch((error: unknown) => {
        deps.log.error('wallet.inbox_fault', { cause: error instanceof Error ? error.name : 'unknown' })
      })
      return looking
    },
    waiting: () => [...desk.waiting.values()].map(({ entry }) => entry),
    accept: (id, txCode) => accept(desk, id, txCode),
    close() {
      closing.abort()
      return looking
    },
  }
}

async function lookThrough(desk: Desk, look: number): Promise<void> {
  const { waiting, accepted, tries } = desk
  const offers = desk.folder.list()
  // What was taken away by hand waits no longer.
  for (const id of waiting.keys()) if (!offers.some((offer) => offer.id === id)) waiting.delete(id)
  const isDue = ({ id }: OfferFile): boolean =>
    !waiting.has(id) && !accepted.has(id) && look >= (tries.get(id)?.nextLook ?? 0)
  for (const offer of offers.filter(isDue)) {
    if (desk.signal.aborted || waiting.size >= desk.most) return
    if (offer.link === undefined || !isOfferLink(offer.link)) refuse(desk, offer, 'invalid_offer')
    else await examine(desk, { ...offer, link: offer.link }, look)
  }
}

async function examine(
  desk: Desk,
  offer: OfferFile & { readonly link: string },
  look: number,
): Promise<void> {
  const { id, agent, from, link } = offer
  const found = await desk.wallet.inspectOffer(agent, link)
  if ('outcome' in found) {
    postpone(desk, offer, { code: found.code, look })
    return
  }
  const { issuer, needs, description } = found
  if (needs === 'nothing') {
    if (from === 'push') refuse(desk, offer, 'tx_code_missing')
    else settle(desk, offer, await desk.wallet.receive(agent, link))
    return
  }
  const said = description === undefined ? {} : { description }
  desk.waiting.set(id, { offer, entry: { id, agent, issuer, needs, from, ...said } })
  desk.log.info('wallet.inbox_waiting', { agent, offer: id, needs })
}

async function accept(desk: Desk, id: string, txCode?: string): Promise<ReceiveReply | undefined> {
  const found = desk.waiting.get(id)
  if (found?.offer.link === undefined || desk.accepted.has(id)) return undefined
  // One at a time: of two yeses to one offer, the second finds nothing.
  desk.accepted.add(id)
  try {
    const reply = await desk.wallet.receive(found.offer.agent, found.offer.link, txCode)
    settle(desk, found.offer, reply)
    return reply
  } finally {
    desk.accepted.delete(id)
  }
}

function settle(desk: Desk, offer: OfferFile, reply: ReceiveReply): void {
  if (reply.outcome === 'tx_code_required') return
  if (reply.outcome === 'refused') {
    refuse(desk, offer, reply.code)
    return
  }
  forget(desk, offer)
  desk.folder.close(offer)
  desk.log.info('wallet.inbox_received', { agent: offer.agent, offer: offer.id, outcome: reply.outcome })
}

function postpone(
  desk: Desk,
  offer: OfferFile,
  { code, look }: { readonly code: string; readonly look: number },
): void {
  const count = (desk.tries.get(offer.id)?.count ?? 0) + 1
  const most = offer.from === 'push' && code === 'invalid_offer' ? MOST_TRIES_PUSHED : MOST_TRIES
  if (!PASSING.includes(code) || count >= most) refuse(desk, offer, code)
  else desk.tries.set(offer.id, { count, nextLook: look + 2 ** count })
}

function refuse(desk: Desk, offer: OfferFile, code: string): void {
  forget(desk, offer)
  desk.folder.refuse(offer)
  desk.log.warn('wallet.inbox_refused', { agent: offer.agent, offer: offer.id, code })
}

function forget(desk: Desk, { id }: OfferFile): void {
  desk.waiting.delete(id)
  desk.tries.delete(id)
}

function isOfferLink(link: string): boolean {
  try {
    parseCredentialOfferUri(link)
    return true
  } catch {
    return false
  }
}
