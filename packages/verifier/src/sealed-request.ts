/**
 * A presentation request that is kept nowhere: everything it needs stands sealed in its own address.
 *
 * For the 401 of an API without an authorization server, which anybody can ask for: a flood of them writes nothing.
 * What must be secret to the answer (nonce, state, key) is derived from one seed inside the seal; what must be known
 * to whoever redeems (the transaction id) stands there as a hash. The first record is that of the one answer.
 *
 * Source: OpenID4VP 1.0, sections 5.2, 5.7, 8.3 and 14.2; requirements/headless-presentation.md, (a) 2.
 *
 * @module
 */
import {
  decodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  type Random,
  randomText,
} from '@attache/core'
import { deriveDecryptionKey, digest, type Seal } from '@attache/keys'
import type { DcqlQuery } from '@attache/openid4vp'
import type { Settings } from './settings.js'
import { type Requested, type TokenGrant, transactionHandle } from './transaction.js'

const PURPOSE = 'attache verifier request'

// Several APIs may share one seal: what one asks is not to be answered at another, whose trust is its own.
const purposeAt = ({ origin }: Pick<Settings, 'origin'>): string => `${PURPOSE} ${origin}`

/** What opening needs. */
export interface OpenSealedRequestDeps {
  readonly settings: Settings
  readonly seal: Seal
  /** What a scope stands for by now. */
  readonly requirementOf: (scope: string) => { readonly query: DcqlQuery } | undefined
}

/** A request that was sealed. */
export interface SealedRequest {
  /** Secret of whoever was refused; not in the seal. */
  readonly transactionId: string
  /** Stands in `request_uri` and `response_uri`. */
  readonly handle: string
}

/** Seals a request for a scope. Member names are short: an address has 512 characters. */
export function sealRequest(
  grant: TokenGrant,
  expiresAt: NumericDate,
  {
    settings,
    seal,
    random,
  }: { readonly settings: Pick<Settings, 'origin'>; readonly seal: Seal; readonly random: Random },
): SealedRequest {
  const transactionId = randomText(random)
  const content = {
    i: transactionHandle(transactionId),
    x: randomText(random),
    s: grant.scope,
    e: expiresAt,
    ...(grant.jkt === undefined ? {} : { j: grant.jkt }),
  }
  return { transactionId, handle: seal.seal(content, { purpose: purposeAt(settings), expiresAt }) }
}

/**
 * Opens a request.
 *
 * @returns Its id in the store, and the transaction as it begins; nothing when it is foreign, changed or expired,
 * or stands for a scope that is no longer asked for.
 */
export function openRequest(
  handle: string,
  now: NumericDate,
  { settings, seal, requirementOf }: OpenSealedRequestDeps,
): { readonly id: string; readonly transaction: Requested } | undefined {
  const content = seal.open(handle, { purpose: purposeAt(settings), now })
  if (!isJsonObject(content)) return undefined
  const [id, seed, scope, jkt] = ['i', 'x', 's', 'j'].map((name) => sealedText(content, name))
  const expiresAt = member(content, 'e')
  const secret = decodeBase64url(seed ?? '')
  const requirement = scope === undefined ? undefined : requirementOf(scope)
  if (id === undefined || scope === undefined || secret === undefined) return undefined
  if (requirement === undefined || typeof expiresAt !== 'number') return undefined
  const { query } = requirement
  const transaction = begun({ seed: seed ?? '', secret, query, grant: { scope, jkt }, expiresAt }, settings)
  return { id, transaction }
}

function begun(
  facts: {
    readonly seed: string
    readonly secret: Uint8Array
    readonly query: DcqlQuery
    readonly grant: TokenGrant
    readonly expiresAt: NumericDate
  },
  { clientId, origin, endpoints }: Settings,
): Requested {
  const { seed, secret, query, grant, expiresAt } = facts
  return {
    state: 'requested',
    clientId,
    query,
    scope: undefined,
    transactionData: undefined,
    responseMode: 'direct_post.jwt',
    nonce: digest('sha-256', `nonce ${seed}`),
    stateParameter: digest('sha-256', `state ${seed}`),
    method: 'post',
    decryptionKey: deriveDecryptionKey(secret, PURPOSE).privateJwk,
    returnUri: `${origin}${endpoints.redeem}`,
    session: undefined,
    expiresAt,
    grant,
    unreadable: 0,
  }
}

function sealedText(content: JsonObject, name: string): string | undefined {
  const value = member(content, name)
  return typeof value === 'string' ? value : undefined
}
