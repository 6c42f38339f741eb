/**
 * What the wallet answers about offers that wait and about visits, read with care.
 *
 * @module
 */
import type { VisitSummary, WaitingOffer } from '@attache/agent'
import { z } from 'zod'
import { parseReply } from './wallet-replies.js'

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseInbox(value: unknown): readonly WaitingOffer[] {
  const offer = z.looseObject({
    id: z.string(),
    agent: z.string(),
    issuer: z.string(),
    needs: z.enum(['transaction_code', 'authorization']),
    description: z.string().exactOptional(),
    from: z.enum(['folder', 'push']),
  })
  return parseReply(z.looseObject({ offers: z.array(offer) }), value).offers
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseVisits(value: unknown): readonly VisitSummary[] {
  const list = z.looseObject({ visits: z.array(z.unknown()) })
  return parseReply(list, value).visits.map(parseVisit)
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseVisit(value: unknown): VisitSummary {
  const text = z.string().exactOptional()
  const visit = z.looseObject({
    id: z.string(),
    kind: z.enum(['offer', 'request']),
    at: z.number(),
    state: z.enum(['waiting', 'running', 'success', 'error']),
    outcome: text,
    code: text,
    reference: text,
  })
  return parseReply(visit, value)
}
