/**
 * Operator protocol `v1`: what a person or a deployment asks the wallet daemon, and what it answers.
 *
 * Owns both halves of the messages on the operator socket; the `attache` command and other tools read and
 * write them. Names are camelCase on the wire too: the protocol is our own, no standard has words for it.
 * The operator sees states, names and reasons; never a key, a token, a code or a claim value.
 *
 * Source: Attaché, operator protocol v1 (own).
 *
 * @module
 */
import { isRecord, own, text } from './socket-read.js'

/** Where an offer is handed in. */
export const RECEIVE_PATH = '/v1/receive'
/** Where the answer of an authorization server is handed back after a person has logged in. */
export const CALLBACK_PATH = '/v1/callback'
/** Where a request for a presentation is handed in. */
export const PRESENT_PATH = '/v1/present'
/** Where the state of all agents is read. */
export const STATUS_PATH = '/v1/status'
/** Where the daemon's metrics are read, as JSON around the text; `/metrics` answers with the text itself. */
export const METRICS_PATH = '/v1/metrics'
/** Where the daemon examines itself and the peers it is told to trust. */
export const DOCTOR_PATH = '/v1/doctor'
/** Where the wallet's decisions are read, newest first. */
export const EXPLAIN_PATH = '/v1/explain'
/** Where an agent is stopped and released again. */
export const KILL_SWITCH_PATH = '/v1/kill-switch'

/** Languages that one request may ask for. */
const MOST_LANGUAGES = 16

/** An offer for one agent. */
export interface ReceiveRequest {
  readonly agent: string
  /** The offer as text: `openid-credential-offer://…`, `haip-vci://…`, or an https link with the same query. */
  readonly offer: string
  /** The transaction code, from its own channel. */
  readonly txCode?: string
}

/** How far an offer got. */
export type ReceiveReply =
  | {
      readonly outcome: 'stored'
      readonly credentials: readonly string[]
      readonly vct: string
      readonly issuer: string
    }
  | {
      readonly outcome: 'tx_code_required'
      /** `tx_code_wrong` when one was tried. */
      readonly code?: string
      readonly issuer: string
      readonly tokenEndpoint: string
      readonly inputMode: string
      readonly length?: number
      readonly description?: string
    }
  | { readonly outcome: 'authorization_required'; readonly authorizationUrl: string; readonly issuer: string }
  | { readonly outcome: 'pending'; readonly transaction: string; readonly nextPollAt: number }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string }

/** The address a browser was sent back to, whole. */
export interface CallbackRequest {
  readonly agent: string
  readonly url: string
}

/** A request for a presentation that a verifier gave to a person or a deployment. */
export interface PresentRequest {
  readonly agent: string
  /** The request as a URL: `openid4vp://…`, `haip-vp://…`, or an https link with the same query. */
  readonly request: string
}

/** What came of a request; the reason of a refusal is asked for by its reference. */
export type PresentReply =
  | { readonly outcome: 'delivered'; readonly reference: string; readonly redirectUri?: string }
  | { readonly outcome: 'refused'; readonly reference: string }

/** One set of copies of one credential, as the operator sees it. */
export interface CredentialStatus {
  readonly id: string
  readonly vct: string
  /** What its type is called, in a language that was asked for; plain text of somebody else. */
  readonly name?: string
  readonly issuer: string
  /** As of the last look. */
  readonly state: 'active' | 'suspended' | 'revoked' | 'expired'
  /** Whether a status list speaks of it; without one, nobody can revoke it. */
  readonly hasStatusList: boolean
  /** When its status list was last asked with success; absent: not yet. */
  readonly lookedAt?: number
  readonly copiesLeft: number
  readonly expiresAt?: number
  readonly renewAt?: number
}

/** One agent, as the operator sees it. */
export interface AgentStatus {
  readonly agent: string
  readonly socket: string
  readonly stopped: boolean
  /** Stable code, where records of the agent cannot be read; nothing is presented for it then. */
  readonly unreadable?: string
  readonly credentials: readonly CredentialStatus[]
  readonly pending: number
}

/** Which states to read; `POST /v1/status`. One agent at a time keeps an answer within the limit of a message. */
export interface StatusRequest {
  /** @default every agent */
  readonly agent?: string
  /** Agents alone, without what they hold. */
  readonly summary?: boolean
  /** Look at every status now, as far as its list can be had. */
  readonly refresh?: boolean
  /** Language tags for names, most wanted first. */
  readonly languages?: readonly string[]
}

/** Answer of `GET` and `POST /v1/status`. */
export interface StatusReply {
  readonly protocol: string
  readonly startedAt: number
  readonly agents: readonly AgentStatus[]
}

/** Which decisions to read. */
export interface ExplainRequest {
  readonly agent?: string
  readonly reference?: string
  /** Newest entries, at most. @default 20 */
  readonly limit?: number
}

/** One decision of the wallet, with its reason. */
export interface Explanation {
  readonly reference: string
  readonly at: number
  readonly agent: string
  /** What was decided about: `receive`, `present`, `renew`. */
  readonly event: string
  readonly outcome: 'granted' | 'refused'
  /** Stable code, such as `no_rule`. */
  readonly code: string
  /** One sentence for a person. */
  readonly message: string
  /** Named things: the verifier's client id, the vct, claim paths. No claim value. */
  readonly facts: Readonly<Record<string, string>>
}

/** Answer of `POST /v1/explain`. */
export interface ExplainReply {
  readonly explanations: readonly Explanation[]
}

/** Answer of `GET /v1/metrics`. */
export interface MetricsReply {
  /** Prometheus exposition format. */
  readonly text: string
}

/** Stops an agent, or releases it. */
export interface KillSwitchRequest {
  readonly agent: string
  readonly stopped: boolean
}

/** @returns `undefined` when the request is malformed. */
export function parseReceiveRequest(value: unknown): ReceiveRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const offer = text(value, 'offer', 65_536)
  const txCode = text(value, 'txCode', 512)
  if (agent === undefined || offer === undefined) return undefined
  return { agent, offer, ...(txCode === undefined ? {} : { txCode }) }
}

/** @returns `undefined` when the request is malformed. */
export function parsePresentRequest(value: unknown): PresentRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const request = text(value, 'request', 65_536)
  return agent === undefined || request === undefined ? undefined : { agent, request }
}

/** @returns `undefined` when the request is malformed. */
export function parseCallbackRequest(value: unknown): CallbackRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const url = text(value, 'url', 16_384)
  return agent === undefined || url === undefined ? undefined : { agent, url }
}

/** @returns `undefined` when the request is malformed. */
export function parseExplainRequest(value: unknown): ExplainRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const reference = text(value, 'reference', 128)
  const limit = own(value, 'limit')
  if (limit !== undefined && !(typeof limit === 'number' && Number.isInteger(limit) && limit > 0))
    return undefined
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(reference === undefined ? {} : { reference }),
    ...(typeof limit === 'number' ? { limit: Math.min(limit, 500) } : {}),
  }
}

/** @returns `undefined` when the request is malformed. */
export function parseStatusRequest(value: unknown): StatusRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const [summary, refresh, wanted] = [own(value, 'summary'), own(value, 'refresh'), own(value, 'languages')]
  const languages = wanted === undefined ? [] : wanted
  if (!Array.isArray(languages) || languages.length > MOST_LANGUAGES || !languages.every(isLanguageTag))
    return undefined
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(summary === true ? { summary } : {}),
    ...(refresh === true ? { refresh } : {}),
    ...(languages.length === 0 ? {} : { languages }),
  }
}

function isLanguageTag(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9-]{1,35}$/.test(value)
}

/** @returns `undefined` when the request is malformed. */
export function parseKillSwitchRequest(value: unknown): KillSwitchRequest | undefined {
  if (!isRecord(value)) return undefined
  const agent = text(value, 'agent', 128)
  const stopped = own(value, 'stopped')
  return agent === undefined || typeof stopped !== 'boolean' ? undefined : { agent, stopped }
}

/** One thing that was examined. */
export interface Finding {
  /** What was examined, such as `clock` or `policy`; with a colon and a name where there are several. */
  readonly check: string
  readonly outcome: 'ok' | 'warning' | 'failed'
  /** What was found; when it is not good, what to do. */
  readonly message: string
}
