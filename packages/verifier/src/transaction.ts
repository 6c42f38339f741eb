/**
 * One plain OpenID4VP transaction: from the request to the one answer, and to the one reading of its result.
 *
 * Owns its states and their way through the store. Its secrets are apart: whoever reads the store finds no
 * transaction id and no response code, only their hashes.
 *
 * Source: OpenID4VP 1.0, sections 13.3 and 14.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  storeKey,
} from '@attache/core'
import { digest } from '@attache/keys'
import {
  type DcqlQuery,
  encodeDcqlQuery,
  encodeVerifierInfo,
  parseDcqlQuery,
  parseVerifierInfo,
  type VerifierInfo,
} from '@attache/openid4vp'
import { PLACE } from './client-authentication.js'
import { PRESENTATION_REASONS, type PresentationReason } from './errors.js'
import { encodePresentation, type Presentation, parsePresentation } from './presentation.js'

interface AnyTransaction {
  /** Hash of the browser or client session that began it; absent when none was named. */
  readonly session: string | undefined
  /** When the answer must have come. */
  readonly expiresAt: NumericDate
  /** What a token is granted for in place of a result; absent where the result itself is asked for. */
  readonly grant: TokenGrant | undefined
}

/** A token instead of a result: the transaction began with a refused call. */
export interface TokenGrant {
  readonly scope: string
  /** Thumbprint of the DPoP key it all belongs to; absent until a proof names one. */
  readonly jkt: string | undefined
}

/** The request is out; the answer has not come. */
export interface Requested extends AnyTransaction {
  readonly state: 'requested'
  /** Full Client Identifier under which is asked; what answers must be bound to. */
  readonly clientId: string
  readonly query: DcqlQuery
  /** The scope that stood for the query on the wire; absent where the query itself was sent. */
  readonly scope: string | undefined
  /** `transaction_data` entries as sent; absent without. */
  readonly transactionData: readonly string[] | undefined
  /** Attestations that travel with the request; absent without. */
  readonly verifierInfo?: readonly VerifierInfo[] | undefined
  readonly nonce: string
  /** The `state` parameter. */
  readonly stateParameter: string
  readonly responseMode: 'direct_post' | 'direct_post.jwt' | 'fragment'
  /** Private JWK for the one answer; absent where it comes in the clear. */
  readonly decryptionKey: JsonObject | undefined
  /** Where the user agent is sent after the answer; absent across devices. */
  readonly returnUri: string | undefined
  /** Where a browser brings a fragment; absent where that is `returnUri`. */
  readonly redirectUri?: string | undefined
  readonly method: 'get' | 'post'
  /** Posts that could not be read; a few are borne. */
  readonly unreadable: number
}

/** The answer came and held. Keys, nonce and state are gone. */
export interface Answered extends AnyTransaction {
  readonly state: 'answered'
  readonly presentation: Presentation
  /** Hash of the response code; absent where no redirect was sent. */
  readonly responseCode: string | undefined
}

/** The wallet said no, or the answer did not hold. */
export interface Refused extends AnyTransaction {
  readonly state: 'refused'
  readonly reason: PresentationReason | 'denied'
}

/** The result was read; only that is still known. */
export interface Redeemed extends AnyTransaction {
  readonly state: 'redeemed'
}

/** A transaction. */
export type Transaction = Requested | Answered | Refused | Redeemed

/** Reading the result ends what is known of it. */
export function redeemed(from: Answered | Refused): Redeemed {
  return { state: 'redeemed', session: from.session, expiresAt: from.expiresAt, grant: from.grant }
}

/** A posted answer that holds ends the waiting. */
export function answered(from: Requested, presentation: Presentation, code: string | undefined): Answered {
  const { session, expiresAt, grant } = from
  const responseCode = code === undefined ? undefined : digest('sha-256', code)
  return { state: 'answered', session, expiresAt, grant, presentation, responseCode }
}

/** The response code came back to the session that began: from now on the result is open to that session. */
export function returned(from: Answered): Answered {
  return { ...from, responseCode: undefined }
}

/** A refusal, by the wallet or by us, ends it as well. */
export function refused(from: Requested, reason: Refused['reason']): Refused {
  return { state: 'refused', session: from.session, expiresAt: from.expiresAt, grant: from.grant, reason }
}

/**
 * The handle of a transaction in URLs that wallets see. It leads to the record; the transaction id, of which
 * it is a hash, cannot be found from it.
 */
export function transactionHandle(transactionId: string): string {
  return digest('sha-256', transactionId)
}

const HANDLE = /^[A-Za-z0-9_-]{43}$/

/** Whether a text in a URL can be the handle of a stored transaction. */
export function isHandle(text: string): boolean {
  return HANDLE.test(text)
}

/** Where a transaction is kept; nothing is kept where a text leads that no handle can be. */
export function transactionKey(handle: string): string {
  // It comes from a URL: what a store takes for no key at all is a stranger's doing, not a fault of ours.
  return storeKey({ ...PLACE, kind: 'transaction', id: isHandle(handle) ? handle : '-' })
}

/** Writes a transaction for the store. */
export function encodeTransaction(transaction: Transaction): JsonObject {
  const { session, expiresAt, state, grant } = transaction
  const common = {
    v: 1,
    state,
    expiresAt,
    ...(session === undefined ? {} : { session }),
    ...(grant === undefined ? {} : { grant: encodeGrant(grant) }),
  }
  switch (transaction.state) {
    case 'redeemed':
      return common
    case 'refused':
      return { ...common, reason: transaction.reason }
    case 'answered': {
      const { responseCode } = transaction
      const code = responseCode === undefined ? {} : { responseCode }
      return { ...common, presentation: encodePresentation(transaction.presentation), ...code }
    }
    case 'requested': {
      const { decryptionKey, returnUri, nonce, stateParameter, responseMode, transactionData } = transaction
      return {
        ...common,
        query: encodeDcqlQuery(transaction.query),
        nonce,
        stateParameter,
        responseMode,
        clientId: transaction.clientId,
        method: transaction.method,
        unreadable: transaction.unreadable,
        ...(transaction.scope === undefined ? {} : { scope: transaction.scope }),
        ...(transactionData === undefined ? {} : { transactionData }),
        ...(decryptionKey === undefined ? {} : { decryptionKey }),
        ...(returnUri === undefined ? {} : { returnUri }),
        ...(transaction.verifierInfo === undefined
          ? {}
          : { verifierInfo: transaction.verifierInfo.map(encodeVerifierInfo) }),
        ...(transaction.redirectUri === undefined ? {} : { redirectUri: transaction.redirectUri }),
      }
    }
  }
}

/**
 * Reads a transaction from the store.
 *
 * @returns Nothing for what this version did not write.
 */
export function parseTransaction(value: JsonValue): Transaction | undefined {
  if (!isJsonObject(value) || member(value, 'v') !== 1) return undefined
  const expiresAt = member(value, 'expiresAt')
  if (typeof expiresAt !== 'number') return undefined
  const common = {
    expiresAt,
    session: optionalText(value, 'session'),
    grant: parseGrant(member(value, 'grant')),
  }
  switch (member(value, 'state')) {
    case 'requested':
      return parseRequested(value, common)
    case 'answered': {
      const presentation = parsePresentation(member(value, 'presentation'))
      const responseCode = optionalText(value, 'responseCode')
      return presentation === undefined
        ? undefined
        : { ...common, state: 'answered', presentation, responseCode }
    }
    case 'refused': {
      const reason = optionalText(value, 'reason')
      return reason !== undefined && isReason(reason) ? { ...common, state: 'refused', reason } : undefined
    }
    case 'redeemed':
      return { ...common, state: 'redeemed' }
    default:
      return undefined
  }
}

function encodeGrant({ scope, jkt }: TokenGrant): JsonObject {
  return { scope, ...(jkt === undefined ? {} : { jkt }) }
}

function parseGrant(value: JsonValue | undefined): TokenGrant | undefined {
  const scope = isJsonObject(value) ? optionalText(value, 'scope') : undefined
  if (!isJsonObject(value) || scope === undefined) return undefined
  return { scope, jkt: optionalText(value, 'jkt') }
}

function parseRequested(value: JsonObject, common: AnyTransaction): Requested | undefined {
  const [nonce, stateParameter] = [optionalText(value, 'nonce'), optionalText(value, 'stateParameter')]
  const decryptionKey = member(value, 'decryptionKey')
  const unreadable = member(value, 'unreadable')
  const verifierInfo = member(value, 'verifierInfo')
  const clientId = optionalText(value, 'clientId')
  if (nonce === undefined || stateParameter === undefined || clientId === undefined) return undefined
  if (typeof unreadable !== 'number') return undefined
  return {
    ...common,
    state: 'requested',
    clientId,
    query: parseDcqlQuery(member(value, 'query')),
    scope: optionalText(value, 'scope'),
    transactionData: optionalTexts(value, 'transactionData'),
    nonce,
    stateParameter,
    unreadable,
    responseMode: parseMode(member(value, 'responseMode')),
    method: member(value, 'method') === 'post' ? 'post' : 'get',
    decryptionKey: isJsonObject(decryptionKey) ? decryptionKey : undefined,
    returnUri: optionalText(value, 'returnUri'),
    redirectUri: optionalText(value, 'redirectUri'),
    verifierInfo: verifierInfo === undefined ? undefined : parseVerifierInfo(verifierInfo, undefined),
  }
}

// What is not known is read as the mode that demands most.
function parseMode(value: JsonValue | undefined): Requested['responseMode'] {
  return value === 'direct_post' || value === 'fragment' ? value : 'direct_post.jwt'
}

function optionalText(object: JsonObject, name: string): string | undefined {
  const value = member(object, name)
  return typeof value === 'string' ? value : undefined
}

function optionalTexts(object: JsonObject, name: string): readonly string[] | undefined {
  const value = member(object, name)
  return isJsonArray(value) ? value.filter((text) => typeof text === 'string') : undefined
}

function isReason(text: string): text is Refused['reason'] {
  return text === 'denied' || Object.hasOwn(PRESENTATION_REASONS, text)
}
