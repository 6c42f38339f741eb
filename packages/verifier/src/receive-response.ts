/**
 * Receiving the answer to a transaction: judged at once, accepted once.
 *
 * The first readable answer ends the transaction, for good or bad; a few unreadable posts are borne, so that
 * a stranger cannot end it by posting nonsense.
 *
 * Source: OpenID4VP 1.0, sections 8.2, 8.3, 8.6 and 14.3.
 *
 * @module
 */
import {
  equalText,
  type Log,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
  type Store,
  VerificationError,
} from '@attache/core'
import { createDecryptionKey } from '@attache/keys'
import { verifyDpopProof } from '@attache/oauth'
import {
  decryptResponse,
  parseDirectPost,
  parseResponseParameters,
  type ReceivedResponse,
} from '@attache/openid4vp'
import { type PresentationReason, reasonOf, refusedPresentation } from './errors.js'
import { type ExplanationDeps, verifyExplained } from './explanation.js'
import {
  type FindTransactionDeps,
  findTransaction,
  type KeptTransaction,
  moveTransaction,
} from './kept-transaction.js'
import { RESPONSE_ENCS, responseUri } from './presentation-request.js'
import {
  answered,
  isHandle,
  type Requested,
  refused,
  type Transaction,
  transactionHandle,
} from './transaction.js'

/** What receiving needs. */
export interface ReceiveResponseDeps extends ExplanationDeps, Omit<FindTransactionDeps, 'store'> {
  readonly store: Pick<Store, 'get' | 'replace' | 'put' | 'putIfAbsent'>
  readonly random: Random
  readonly log: Log
}

const MOST_UNREADABLE = 5
const RESULT_SECONDS = 300

/** What was posted. */
export interface PostedFacts {
  readonly handle: string
  readonly form: ReadonlyMap<string, string>
  /** The `DPoP` field; looked at only where a token is granted. */
  readonly dpop?: string | null
  readonly now: NumericDate
}

/**
 * Receives what a wallet posted.
 *
 * @returns Where the user agent goes next; nothing across devices and after a wallet's error.
 * @throws {ProtocolError} `invalid_request`: one uniform error for everything that does not hold; the reason
 * is its cause and stands in the log.
 *
 * Source: OpenID4VP 1.0, sections 8.2 and 8.6.
 */
export async function receiveResponse(
  facts: PostedFacts,
  deps: ReceiveResponseDeps,
): Promise<{ readonly redirectUri?: string }> {
  try {
    return await receive(facts, deps)
  } catch (cause) {
    const reason = reasonOf(cause)
    if (reason === undefined) throw cause
    deps.log.warn('verifier.response.refused', { transaction: loggedAs(facts.handle), reason })
    throw new ProtocolError('invalid_request', 'The response is not accepted.', { cause })
  }
}

interface Open extends KeptTransaction {
  readonly transaction: Requested
  readonly now: NumericDate
}

async function receive(
  facts: PostedFacts,
  deps: ReceiveResponseDeps,
): Promise<{ readonly redirectUri?: string }> {
  const open = bindKey(await openTransaction(facts.handle, facts.now, deps), facts, deps)
  const response = await read(facts.form, open, deps)
  if (response.kind === 'error') {
    await deps.record({ kind: 'verifier.presentation_denied', subject: open.id, facts: {} })
    await close(open, refused(open.transaction, 'denied'), deps)
    return {}
  }
  const { presentation, refusal, cause } = await judge(response, { open, deps })
  if (presentation === undefined) {
    await close(open, refused(open.transaction, refusal), deps)
    throw refusedPresentation(refusal, cause)
  }
  const { returnUri } = open.transaction
  const code = returnUri === undefined ? undefined : randomText(deps.random)
  await close(open, answered(open.transaction, presentation, code), deps)
  if (returnUri === undefined || code === undefined) return {}
  return { redirectUri: `${returnUri}${returnUri.includes('?') ? '&' : '?'}response_code=${code}` }
}

async function openTransaction(handle: string, now: NumericDate, deps: ReceiveResponseDeps): Promise<Open> {
  const found = await findTransaction(handle, now, deps)
  if (found === undefined) throw refusedPresentation('unknown_transaction')
  const { transaction } = found
  if (transaction.state !== 'requested') throw refusedPresentation('transaction_consumed')
  if (transaction.expiresAt <= now) throw refusedPresentation('transaction_expired')
  return { ...found, transaction, now }
}

/**
 * Ties the answer to a key, where a token will be granted for it. That a proof is new need not be remembered: it
 * names this address, which takes one answer.
 */
function bindKey(open: Open, { handle, dpop }: PostedFacts, { settings }: ReceiveResponseDeps): Open {
  const { grant } = open.transaction
  if (grant === undefined || dpop === undefined || dpop === null) return open
  const url = responseUri(handle, settings)
  const expected = { method: 'POST', url, algorithms: settings.algorithms }
  const { jkt } = verifyDpopProof(dpop, expected, open.now)
  if (grant.jkt !== undefined && grant.jkt !== jkt) {
    // Somebody else began this: the challenge was relayed.
    throw new ProtocolError('invalid_dpop_proof', 'The transaction belongs to another key. Start again.')
  }
  return { ...open, transaction: { ...open.transaction, grant: { ...grant, jkt } } }
}

async function read(
  form: ReadonlyMap<string, string>,
  open: Open,
  deps: ReceiveResponseDeps,
): Promise<ReceivedResponse> {
  try {
    const response = await readParameters(form, open.transaction)
    const { state } = response
    if (state === undefined || !equalText(state, open.transaction.stateParameter)) {
      throw refusedPresentation('state_mismatch')
    }
    return response
  } catch (error) {
    if (error instanceof VerificationError) await countUnreadable(open, deps)
    throw error
  }
}

async function readParameters(
  form: ReadonlyMap<string, string>,
  { responseMode, decryptionKey }: Requested,
): Promise<ReceivedResponse> {
  const posted = parseDirectPost(form, responseMode)
  if (posted.kind !== 'encrypted') return posted
  const keys = decryptionKey === undefined ? [] : [createDecryptionKey(decryptionKey)]
  return parseResponseParameters(await decryptResponse(posted.jwe, { keys, encs: RESPONSE_ENCS }))
}

async function countUnreadable(open: Open, deps: ReceiveResponseDeps): Promise<void> {
  // Of a sealed request nothing is stored before its answer: who posts nonsense leaves no trace.
  if (open.version === undefined) return
  const unreadable = open.transaction.unreadable + 1
  const transaction: Transaction =
    unreadable < MOST_UNREADABLE
      ? { ...open.transaction, unreadable }
      : refused(open.transaction, 'response_malformed')
  // Somebody else may have moved it meanwhile; then there is nothing left to count.
  await moveTransaction(open, { transaction, keepUntil: keepUntil(open) }, deps.store)
}

type Judged =
  | {
      readonly presentation: Awaited<ReturnType<typeof verifyExplained>>
      readonly refusal?: undefined
      readonly cause?: undefined
    }
  | { readonly presentation?: undefined; readonly refusal: PresentationReason; readonly cause: unknown }

async function judge(
  response: Extract<ReceivedResponse, { kind: 'vp_token' }>,
  { open, deps }: { readonly open: Open; readonly deps: ReceiveResponseDeps },
): Promise<Judged> {
  const { query, nonce, clientId, transactionData } = open.transaction
  const audiences = [clientId]
  const asked = { transaction: open.id, query, nonce, audiences, transactionData }
  const facts = { ...asked, vpToken: response.vpToken, now: open.now }
  try {
    return { presentation: await verifyExplained(facts, deps) }
  } catch (cause) {
    const refusal = reasonOf(cause)
    if (refusal === undefined) throw cause
    return { refusal, cause }
  }
}

// One step: of many answers at once, one moves the transaction on.
async function close(open: Open, next: Transaction, deps: ReceiveResponseDeps): Promise<void> {
  const moved = await moveTransaction(open, { transaction: next, keepUntil: keepUntil(open) }, deps.store)
  if (!moved) throw refusedPresentation('transaction_consumed')
}

function keepUntil(open: Open): NumericDate {
  return Math.max(open.transaction.expiresAt, open.now) + RESULT_SECONDS
}

// A handle in the log is a name of our own; any other text is anybody's, or a seal.
function loggedAs(handle: string): string {
  return isHandle(handle) ? handle : transactionHandle(handle)
}
