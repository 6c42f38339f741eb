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
import { digest, generateDecryptionKey, type Signer } from '@attache/keys'
import { encodeTransactionData, type VerifierInfo, x509HashClientIdentifier } from '@attache/openid4vp'
import { handOver } from './hand-over.js'
import { fragmentUri, responseUri } from './presentation-request.js'
import { readOwnQuery } from './requirement.js'
import type { Settings } from './settings.js'
import { encodeTransaction, type Requested, transactionHandle, transactionKey } from './transaction.js'

/** What is asked for, and how. */
export interface TransactionOptions {
  /** DCQL, as on the wire; or else `scope`. */
  readonly query?: JsonObject
  /** A presentation scope of the options, sent instead of its query. */
  readonly scope?: string
  /** What the holder agrees to by signing: each with `type` and `credential_ids`, and members of its type. */
  readonly transactionData?: readonly JsonObject[]
  /**
   * How the answer comes. With `fragment` a browser brings it to `returnUri`, whose page posts the fragment to
   * `responseUri` and nothing from its query; without a `returnUri`, to the verifier's own page, which does that.
   * @default `direct_post.jwt`
   */
  readonly responseMode?: 'direct_post' | 'direct_post.jwt' | 'fragment'
  /**
   * What others say about this verifier: attestations that travel with the request. One that is bound to the request
   * is made for its `nonce` and `clientId`. @default none
   */
  readonly verifierInfo?: readonly VerifierInfo[] | VerifierInfoMaker
  /** Whether wallets fetch the signed request, or find it whole in the URL. @default `reference` */
  readonly delivery?: 'reference' | 'value'
  /** How the wallet fetches the request. @default `get` */
  readonly method?: 'get' | 'post'
  /**
   * Under which prefix is asked. `redirect_uri` sends an unsigned request, all of it in the URL, and proves
   * nothing about who asks. @default the verifier's own `clientId`
   */
  readonly clientIdPrefix?: 'redirect_uri' | 'x509_san_dns' | 'x509_hash'
  /** Where wallets listen. @default `openid4vp://` */
  readonly walletUrl?: string
  /** Names the session (cookie, connection) that begins; its result is given to no other. */
  readonly session?: string
  /** Where the user agent goes after the answer, with `response_code` added. @default the verifier's own page */
  readonly returnUri?: string
  /** No redirect after the answer: the transaction id alone fetches the result. @default false */
  readonly crossDevice?: boolean
}

/** Makes attestations for one request (OpenID4VP 1.0, section 5.11.1). */
export type VerifierInfoMaker = (
  request: Pick<Requested, 'clientId' | 'nonce'>,
) => readonly VerifierInfo[] | Promise<readonly VerifierInfo[]>

/** What our own pages add. */
export interface PageTransactionOptions extends TransactionOptions {
  /** The user agent goes back to this URL with the transaction's handle as its last segment. */
  readonly returnBelow?: string
  /** In seconds. @default the setting */
  readonly lifetimeSeconds?: number
}

/** A transaction that has begun. */
export interface StartedTransaction {
  /** Secret of whoever began; never shown to a wallet. */
  readonly transactionId: string
  readonly clientId: string
  readonly requestUri: string
  /** Where answers are posted. */
  readonly responseUri: string
  /** For a QR code, a link or a wallet's socket. */
  readonly requestUrl: string
  readonly expiresAt: NumericDate
}

/** What starting needs. */
export interface StartTransactionDeps {
  readonly settings: Settings
  /** Signs requests. */
  readonly signer: Signer
  readonly store: Pick<Store, 'put'>
  readonly random: Random
}

// How long a result waits to be read after the answer.
const RESULT_SECONDS = 300

/**
 * Begins a transaction.
 *
 * @throws {TypeError} `query_malformed`, `return_uri`, or a code of the DCQL lint or of `checkOutgoingRequest`.
 *
 * Source: OpenID4VP 1.0, sections 5.2, 5.7 and 13.3.
 */
export async function startTransaction(
  options: PageTransactionOptions,
  now: NumericDate,
  deps: StartTransactionDeps,
): Promise<StartedTransaction> {
  const { settings, random, store } = deps
  const { query } = readOwnQuery(askedQuery(options, settings), settings)
  const responseMode = options.responseMode ?? 'direct_post.jwt'
  const transactionId = randomText(random)
  const handle = transactionHandle(transactionId)
  const addresses = answerAddresses({ ...options, responseMode }, handle, settings)
  const clientId = clientIdFor(options, addresses.answerUri, deps)
  const nonce = randomText(random)
  const transaction: Requested = {
    state: 'requested',
    clientId,
    query,
    scope: options.scope,
    transactionData: options.transactionData?.map(encodeTransactionData),
    responseMode,
    nonce,
    verifierInfo: await readVerifierInfo(options.verifierInfo, { clientId, nonce }),
    stateParameter: randomText(random),
    method: options.method ?? 'get',
    decryptionKey: responseMode === 'direct_post.jwt' ? generateDecryptionKey().privateJwk : undefined,
    returnUri: addresses.returnUri,
    redirectUri: addresses.redirectUri,
    session: options.session === undefined ? undefined : digest('sha-256', options.session),
    expiresAt: now + (options.lifetimeSeconds ?? settings.lifetimes.transaction),
    grant: undefined,
    unreadable: 0,
  }
  const handover = await handOver(transaction, { handle, options, now }, deps)
  const keepUntil = transaction.expiresAt + RESULT_SECONDS
  await store.put(transactionKey(handle), encodeTransaction(transaction), keepUntil)
  const { expiresAt } = transaction
  return { transactionId, clientId, ...handover, responseUri: responseUri(handle, settings), expiresAt }
}

function askedQuery({ query, scope }: TransactionOptions, { presentationScopes }: Settings): JsonObject {
  const known =
    scope !== undefined && Object.hasOwn(presentationScopes, scope) ? presentationScopes[scope] : undefined
  const asked = query ?? known
  if (asked !== undefined && (query === undefined) === (known !== undefined)) return asked
  throw configurationError('query_xor_scope', 'Give either a query or a scope that the options name.')
}

async function readVerifierInfo(
  info: TransactionOptions['verifierInfo'],
  request: Pick<Requested, 'clientId' | 'nonce'>,
): Promise<readonly VerifierInfo[] | undefined> {
  return typeof info === 'function' ? info(request) : info
}

function clientIdFor(options: TransactionOptions, answerUri: string, deps: StartTransactionDeps): string {
  const { settings, signer } = deps
  switch (options.clientIdPrefix) {
    case 'redirect_uri':
      return `redirect_uri:${answerUri}`
    case 'x509_san_dns':
      return `x509_san_dns:${new URL(settings.origin).hostname}`
    case 'x509_hash':
      return x509HashClientIdentifier(signer.x5c?.[0] ?? '')
    default:
      return settings.clientId
  }
}

function answerAddresses(options: PageTransactionOptions, handle: string, settings: Settings) {
  const { origin, endpoints } = settings
  const returnUri = options.crossDevice === true ? undefined : readReturnUri(options, handle, settings)
  if (options.responseMode !== 'fragment') {
    return { returnUri, redirectUri: undefined, answerUri: responseUri(handle, settings) }
  }
  const redirectUri = options.returnUri === undefined ? `${origin}${endpoints.fragment}/${handle}` : undefined
  return { returnUri, redirectUri, answerUri: fragmentUri({ returnUri, redirectUri }, settings) }
}

function readReturnUri(
  { returnUri, returnBelow }: PageTransactionOptions,
  handle: string,
  { origin, endpoints }: Settings,
): string {
  if (returnBelow !== undefined) return `${returnBelow}/${handle}`
  if (returnUri === undefined) return `${origin}${endpoints.done}`
  if (parseHttpsUrl(returnUri) !== undefined && !returnUri.includes('#')) return returnUri
  throw configurationError('return_uri', 'The returnUri is an https URL without fragment.')
}
