/**
 * What the wallet answers the operator, read with care: the daemon may be of another release.
 *
 * @module
 */
import type { Finding } from '@attache/agent'
import { z } from 'zod'

/** How far an offer got. */
export interface Received {
  readonly outcome: 'stored' | 'tx_code_required' | 'authorization_required' | 'pending' | 'refused'
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly credentials?: readonly string[] | undefined
  readonly vct?: string | undefined
  readonly issuer?: string | undefined
  readonly tokenEndpoint?: string | undefined
  readonly inputMode?: string | undefined
  readonly length?: number | undefined
  readonly description?: string | undefined
  readonly authorizationUrl?: string | undefined
  readonly transaction?: string | undefined
  readonly nextPollAt?: number | undefined
}

/** What came of a request for a presentation. */
export interface Presented {
  readonly outcome: 'delivered' | 'refused'
  readonly reference: string
  readonly redirectUri?: string | undefined
}

/** All agents. */
export interface Status {
  readonly agents: readonly {
    readonly agent: string
    readonly socket: string
    readonly stopped: boolean
    readonly unreadable?: string | undefined
    readonly pending: number
    readonly credentials: readonly {
      readonly id: string
      readonly vct: string
      readonly name?: string | undefined
      readonly issuer: string
      readonly state: string
      readonly hasStatusList?: boolean | undefined
      readonly lookedAt?: number | undefined
      readonly copiesLeft: number
      readonly expiresAt?: number | undefined
      readonly renewAt?: number | undefined
    }[]
  }[]
}

/** One decision of the wallet. */
export interface Decision {
  readonly reference: string
  readonly at: number
  readonly agent: string
  readonly event: string
  readonly outcome: string
  readonly code: string
  readonly message: string
  readonly facts: Readonly<Record<string, string>>
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseReceived(value: unknown): Received {
  const text = z.string().optional()
  const schema = z.looseObject({
    outcome: z.enum(['stored', 'tx_code_required', 'authorization_required', 'pending', 'refused']),
    code: text,
    message: text,
    credentials: z.array(z.string()).optional(),
    vct: text,
    issuer: text,
    tokenEndpoint: text,
    inputMode: text,
    length: z.number().optional(),
    description: text,
    authorizationUrl: text,
    transaction: text,
    nextPollAt: z.number().optional(),
  })
  return parseReply(schema, value)
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parsePresented(value: unknown): Presented {
  const schema = z.looseObject({
    outcome: z.enum(['delivered', 'refused']),
    reference: z.string(),
    redirectUri: z.string().optional(),
  })
  return parseReply(schema, value)
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseStatus(value: unknown): Status {
  const credential = z.looseObject({
    id: z.string(),
    vct: z.string(),
    name: z.string().optional(),
    issuer: z.string(),
    state: z.string(),
    hasStatusList: z.boolean().optional(),
    lookedAt: z.number().optional(),
    copiesLeft: z.number(),
    expiresAt: z.number().optional(),
    renewAt: z.number().optional(),
  })
  const agent = z.looseObject({
    agent: z.string(),
    socket: z.string(),
    stopped: z.boolean(),
    unreadable: z.string().optional(),
    pending: z.number(),
    credentials: z.array(credential),
  })
  return parseReply(z.looseObject({ agents: z.array(agent) }), value)
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseExplanations(value: unknown): readonly Decision[] {
  const decision = z.looseObject({
    reference: z.string(),
    at: z.number(),
    agent: z.string(),
    event: z.string(),
    outcome: z.string(),
    code: z.string(),
    message: z.string(),
    facts: z.record(z.string(), z.string()),
  })
  return parseReply(z.looseObject({ explanations: z.array(decision) }), value).explanations
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseMetrics(value: unknown): string {
  return parseReply(z.looseObject({ text: z.string() }), value).text
}

/** @throws {TypeError} `wallet_reply_malformed` */
export function parseFindings(value: unknown): readonly Finding[] {
  const finding = z.looseObject({
    check: z.string(),
    outcome: z.enum(['ok', 'warning', 'failed']),
    message: z.string(),
  })
  return parseReply(z.looseObject({ findings: z.array(finding) }), value).findings
}

/** Reads a reply by its schema. @throws {TypeError} `wallet_reply_malformed` */
export function parseReply<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const message = 'The wallet answered in a way this command does not understand. Are both of one release?'
  throw Object.assign(new TypeError(message), { code: 'wallet_reply_malformed' })
}
