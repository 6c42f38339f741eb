/**
 * Operator protocol `v1`, second half: what came in by itself and waits for the operator, and what the operator
 * asks for without an offer.
 *
 * Owns both halves of these messages, as `operator-protocol.ts` does of the others. What waits is named by an id;
 * the operator sees issuers, agents and states, never a code or a credential.
 *
 * Source: Attaché, operator protocol v1 (own).
 *
 * @module
 */
import { isRecord, own, text } from './socket-read.js'

/** Where credentials are asked for that nobody offered. */
export const REQUEST_PATH = '/v1/request'
/** Where offers are listed that came in and wait. */
export const INBOX_PATH = '/v1/inbox'
/** Where a waiting offer is received, with its transaction code. */
export const ACCEPT_PATH = '/v1/accept'
/** Where visits of strict peers are listed, newest first. */
export const VISITS_PATH = '/v1/visits'
/** Where the operator says yes to a waiting visit. */
export const CONSENT_PATH = '/v1/consent'

/** Credentials to ask an issuer for. */
export interface CredentialsRequest {
  readonly agent: string
  /** Credential Issuer Identifier, as configured. */
  readonly issuer: string
  /** Credential configuration ids, 1 to 16. */
  readonly configurations: readonly string[]
}

/** An offer that waits. */
export interface WaitingOffer {
  readonly id: string
  readonly agent: string
  readonly issuer: string
  /** `transaction_code`: pass it with `accept`; `authorization`: accepting gives a link for a browser. */
  readonly needs: 'transaction_code' | 'authorization'
  /** What the issuer says about the code. */
  readonly description?: string
  /** Who brought it: a file on this host, or the issuer over https. */
  readonly from: 'folder' | 'push'
}

/** Answer of `GET /v1/inbox`. */
export interface InboxReply {
  readonly offers: readonly WaitingOffer[]
}

/** An offer of the inbox to be received. */
export interface AcceptRequest {
  readonly id: string
  /** The transaction code, from its own channel. */
  readonly txCode?: string
}

/** One visit of a strict peer. */
export interface VisitSummary {
  readonly id: string
  readonly kind: 'offer' | 'request'
  readonly at: number
  /** `waiting` for the operator, `running`, or how it ended. */
  readonly state: 'waiting' | 'running' | 'success' | 'error'
  /** How the wallet called it, such as `stored` or `delivered`. */
  readonly outcome?: string
  /** Why it failed. */
  readonly code?: string
  /** Name of a decision that `explain` knows. */
  readonly reference?: string
}

/** Answer of `GET /v1/visits`. */
export interface VisitsReply {
  readonly visits: readonly VisitSummary[]
}

/** Which visit may go on. */
export interface ConsentRequest {
  readonly id: string
}

/** @returns `undefined` when the request is malformed. */
export function parseCredentialsRequest(value: unknown): CredentialsRequest | undefined {
  if (!isRecord(value)) return undefined
  const [agent, issuer] = [text(value, 'agent', 128), text(value, 'issuer', 2048)]
  const listed = own(value, 'configurations')
  if (agent === undefined || issuer === undefined || !Array.isArray(listed)) return undefined
  const configurations = listed.filter((one) => typeof one === 'string' && one !== '' && one.length <= 256)
  const whole = configurations.length === listed.length && listed.length >= 1 && listed.length <= 16
  return whole ? { agent, issuer, configurations } : undefined
}

/** @returns `undefined` when the request is malformed. */
export function parseAcceptRequest(value: unknown): AcceptRequest | undefined {
  if (!isRecord(value)) return undefined
  const [id, txCode] = [text(value, 'id', 128), text(value, 'txCode', 512)]
  return id === undefined ? undefined : { id, ...(txCode === undefined ? {} : { txCode }) }
}

/** @returns `undefined` when the request is malformed. */
export function parseConsentRequest(value: unknown): ConsentRequest | undefined {
  const id = isRecord(value) ? text(value, 'id', 128) : undefined
  return id === undefined ? undefined : { id }
}
