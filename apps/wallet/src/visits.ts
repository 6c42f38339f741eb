/**
 * Visits: what strict peers bring by https links, from arrival to outcome.
 *
 * Owns the states of a visit and who lets it go on: the configuration, or the operator. What a visit may do is
 * decided by the wallet as ever: the same lists of issuers and verifiers, the same policy. Visits live in memory;
 * what was received lies in the visitors' own store.
 *
 * Source: requirements/interoperability.md, IOP-W-01 and IOP-W-23.
 *
 * @module
 */
import type { ReceiveReply, VisitSummary } from '@attache/agent'
import { type Clock, type Log, type Random, randomId } from '@attache/core'
import type { PresentationReply, Wallet } from '@attache/wallet'

/** A visit, with where its browser goes on. */
export interface Visit extends VisitSummary {
  /** Address for the visiting browser: a login, or what the verifier answered. */
  readonly continueAt?: string
}

/** What visits need. */
export interface VisitsDeps {
  /** The visitors' own wallet. */
  readonly wallet: Wallet
  /** Opens an address that a verifier sends on to; absent, the browser goes there. */
  readonly open?: (url: string) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** All visits. */
export interface Visits {
  /** Begins a visit and, where nobody has to say yes, runs it. @returns `undefined`: too many wait already. */
  begin(kind: Visit['kind'], link: string): Promise<Visit | undefined>
  /** A login ended at the redirect URI. */
  finishLogin(url: string): Promise<Visit>
  /** The operator's yes. @returns The visit at its end, `undefined` when none waits under this id. */
  consent(id: string): Promise<Visit | undefined>
  find(id: string): Visit | undefined
  /** Newest first. */
  list(): readonly Visit[]
}

const MOST_KEPT = 100
const MOST_WAITING = 20

/** Creates the visits of one agent. */
export function createVisits(
  settings: {
    readonly agent: string
    readonly consent: 'automatic' | 'wait'
    readonly txCode?: string | undefined
  },
  deps: VisitsDeps,
): Visits {
  const kept = new Map<string, { readonly visit: Visit; readonly link: string }>()
  const keep = (visit: Visit, link: string): Visit => {
    kept.delete(visit.id)
    kept.set(visit.id, { visit, link })
    const [oldest] = kept.keys()
    if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
    return visit
  }
  const run = async (visit: Visit, work: () => Promise<ReceiveReply | PresentationReply>): Promise<Visit> => {
    keep({ ...visit, state: 'running' }, '')
    try {
      const ended = await endOf({ visit, agent: settings.agent, reply: await work() }, deps)
      deps.log.info('wallet.visit_ended', { visit: ended.id, state: ended.state, outcome: ended.outcome })
      return keep(ended, '')
    } catch (error) {
      keep({ ...visit, state: 'error', code: 'server_error' }, '')
      throw error
    }
  }
  const runLink = (visit: Visit, link: string) =>
    run(visit, () =>
      visit.kind === 'offer'
        ? deps.wallet.receive(settings.agent, link, settings.txCode)
        : deps.wallet.present(settings.agent, link),
    )
  const arrive = (kind: Visit['kind']): Visit => ({
    id: randomId(deps.random, 'vis'),
    kind,
    at: deps.clock(),
    state: 'waiting',
  })
  return {
    async begin(kind, link) {
      if (settings.consent === 'automatic') return runLink(arrive(kind), link)
      const waiting = [...kept.values()].filter(({ visit }) => visit.state === 'waiting')
      return waiting.length >= MOST_WAITING ? undefined : keep(arrive(kind), link)
    },
    finishLogin: (url) => run(arrive('offer'), () => deps.wallet.finishAuthorization(settings.agent, url)),
    async consent(id) {
      const found = kept.get(id)
      return found?.visit.state === 'waiting' ? runLink(found.visit, found.link) : undefined
    },
    find: (id) => kept.get(id)?.visit,
    list: () => [...kept.values()].map(({ visit }) => visit).reverse(),
  }
}

/** What is told of a visit: all but where its browser goes, which may carry a code. */
export function summaryOf({ continueAt: _address, ...summary }: Visit): VisitSummary {
  return summary
}

async function endOf(
  facts: {
    readonly visit: Visit
    readonly agent: string
    readonly reply: ReceiveReply | PresentationReply
  },
  deps: VisitsDeps,
): Promise<Visit> {
  const { visit, agent, reply } = facts
  const { outcome } = reply
  if ('reference' in reply) {
    const { reference } = reply
    if (reply.outcome === 'delivered')
      return delivered({ ...visit, outcome, reference }, reply.redirectUri, deps)
    const [decision] = await deps.wallet.explain(agent, { reference, limit: 1 })
    return { ...visit, state: 'error', outcome, reference, code: decision?.code ?? 'unknown' }
  }
  switch (reply.outcome) {
    case 'stored':
      return { ...visit, state: 'success', outcome }
    case 'pending':
      return { ...visit, state: 'running', outcome }
    case 'authorization_required':
      return { ...visit, state: 'running', outcome, continueAt: reply.authorizationUrl }
    case 'tx_code_required':
      return { ...visit, state: 'error', outcome, code: reply.code ?? 'tx_code_missing' }
    case 'refused':
      return { ...visit, state: 'error', outcome, code: reply.code }
  }
}

/** The verifier's answer may send on: by the configured command, or by the visitor's browser. */
function delivered(visit: Visit, redirectUri: string | undefined, { open }: VisitsDeps): Visit {
  const done: Visit = { ...visit, state: 'success' }
  if (redirectUri === undefined) return done
  if (open === undefined) return { ...done, continueAt: redirectUri }
  open(redirectUri)
  return done
}
