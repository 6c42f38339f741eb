/**
 * Beginning a plain OpenID4VP transaction: fresh nonce, state, key and ids, and the URL for a wallet.
 *
 * Source: OpenID4VP 1.0, sections 5.2, 5.7 and 13.3.
 *
 * @module
 */
import {
  configurationError,
  type JsonObject,
  type NumericDate,
  parseHttpsUrl,
  type Random,
  randomText,
  type Store,
} from '@attache/core'
import { digest, generateDecryptionKey } from '@attache/keys'
import { requestUrlByReference } from '@attache/openid4vp'
import { readOwnQuery } from './requirement.js'
import type { Settings } from './settings.js'
import { encodeTransaction, type Requested, transactionHandle, transactionKey } from './transaction.js'

/** What is asked for, and how. */
export interface TransactionOptions {
  /** DCQL, as on the wire. */
  readonly query: JsonObject
  /** How the answer comes. @default `direct_post.jwt` */
  readonly responseMode?: 'direct_post' | 'direct_post.jwt'
  /** How the wallet fetches the request. @default `get` */
  readonly method?: 'get' | 'post'
  /** Where wallets listen. @default `openid4vp://` */
  readonly walletUrl?: string
  /** Names the session (cookie, connection) that begins; its result is given to no other. */
  readonly session?: string
  /** Where the user agent goes after the answer, with `response_code` added. @default the verifier's own page */
  readonly returnUri?: string
  /** No redirect after the answer: the transaction id alone fetches the result. @default false */
  readonly crossDevice?: boolean
}

/** A transaction that has begun. */
export interface StartedTransaction {
  /** Secret of whoever began; never shown to a wallet. */
  readonly transactionId: string
  readonly clientId: string
  readonly requestUri: string
  /** For a QR code, a link or a wallet's socket. */
  readonly requestUrl: string
  readonly expiresAt: NumericDate
}

/** What starting needs. */
export interface StartTransactionDeps {
  readonly settings: Settings
  readonly store: Pick<Store, 'put'>
  readonly random: Random
}

// How long a result waits to be read after the answer.
const RESULT_SECONDS = 300

/**
 * Begins a transaction.
 *
 * @throws {TypeError} `query_malformed`, `return_uri`, or a code of the DCQL lint.
 *
 * Source: OpenID4VP 1.0, sections 5.2, 5.7 and 13.3.
 */
export async function startTransaction(
  options: TransactionOptions,
  now: NumericDate,
  deps: StartTransactionDeps,
): Promise<StartedTransaction> {
  const { settings, random, store } = deps
  const { query } = readOwnQuery(options.query, settings)
  const responseMode = options.responseMode ?? 'direct_post.jwt'
  const transactionId = randomText(random)
  const transaction: Requested = {
    state: 'requested',
    query,
    responseMode,
    nonce: randomText(random),
    stateParameter: randomText(random),
    method: options.method ?? 'get',
    decryptionKey: responseMode === 'direct_post.jwt' ? generateDecryptionKey().privateJwk : undefined,
    returnUri: options.crossDevice === true ? undefined : readReturnUri(options, settings),
    session: options.session === undefined ? undefined : digest('sha-256', options.session),
    expiresAt: now + settings.lifetimes.transaction,
    unreadable: 0,
  }
  const handle = transactionHandle(transactionId)
  const keepUntil = transaction.expiresAt + RESULT_SECONDS
  await store.put(transactionKey(handle), encodeTransaction(transaction), keepUntil)

  const { clientId, origin, endpoints } = settings
  const requestUri = `${origin}${endpoints.request}/${handle}`
  const reference = { clientId, requestUri, method: transaction.method }
  const requestUrl = requestUrlByReference(options.walletUrl ?? 'openid4vp://', reference)
  return { transactionId, clientId, requestUri, requestUrl, expiresAt: transaction.expiresAt }
}

function readReturnUri({ returnUri }: TransactionOptions, { origin, endpoints }: Settings): string {
  if (returnUri === undefined) return `${origin}${endpoints.done}`
  if (parseHttpsUrl(returnUri) !== undefined && !returnUri.includes('#')) return returnUri
  throw configurationError('return_uri', 'The returnUri is an https URL without fragment.')
}
