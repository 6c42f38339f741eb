/**
 * The verifier's side: what the status of a credential is, from a copy of its list that is kept fresh.
 *
 * Ask only about a credential that is otherwise fully valid. The whole list is fetched, once for all who ask at
 * the same time, and read in memory. Whatever goes wrong, there is no statement and the call throws; a copy is
 * used beyond its time only as far as `staleIfErrorSeconds` says, never past its `exp`, and the statement says so.
 *
 * Source: Token Status List -20, sections 8.3, 11.5, 12.1 and 13.7.
 *
 * @module
 */
import { type Log, type NumericDate, type OutboundFetch, VerificationError } from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import { type Freshness, type FreshnessPolicy, freshnessOf } from './freshness.js'
import { retrieveStatusList } from './retrieval.js'
import { statusAt } from './status-list.js'
import { parseStatusListToken, type StatusListToken, verifyStatusListToken } from './status-list-token.js'
import type { StatusListTrust } from './status-list-trust.js'
import type { StatusReference } from './status-reference.js'
import { type StatusName, statusName } from './status-value.js'

/** How statuses are resolved. */
export interface StatusResolverOptions extends FreshnessPolicy {
  /** Accepted `alg` values of Status List Tokens. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** How far the signer's clock may be off, in seconds. @default 60 */
  readonly toleranceSeconds?: number
  /** Greatest decompressed size, in bytes. @default 16 MiB */
  readonly maxInflatedBytes?: number
  /** Greatest size of a token, in bytes. @default 24 MB */
  readonly maxTokenBytes?: number
  /** A failed fetch is not tried again for so many seconds. @default 10 */
  readonly retryAfterSeconds?: number
  /** How long beyond its time a copy serves when it cannot be refreshed, in seconds. @default 0, fail closed */
  readonly staleIfErrorSeconds?: number
  /** Copies kept, and bytes they may take together. @default 1000 lists, 256 MiB */
  readonly maxLists?: number
  readonly maxBytes?: number
}

/** What resolving needs. */
export interface StatusResolverDeps {
  readonly fetch: OutboundFetch
  readonly log: Log
}

/** What is known about one credential. */
export interface StatusStatement {
  readonly status: StatusName | 'unknown'
  /** The raw value. */
  readonly value: number
  /** When the list was signed. */
  readonly iat: NumericDate
  /** The copy could not be refreshed in time and serves by the stated grace. */
  readonly stale: boolean
}

/** Resolves statuses. */
export interface StatusResolver {
  /**
   * @param reference From the verified credential, see `parseStatusReference`.
   * @param request.trust Whose signature counts for this credential's issuer.
   * @throws {VerificationError} `status_unavailable`: no list that counts can be had; the cause says why.
   * @throws {VerificationError} `status_index_out_of_bounds`.
   */
  resolve(
    reference: StatusReference,
    request: { readonly trust: StatusListTrust; readonly now: NumericDate },
  ): Promise<StatusStatement>
}

/**
 * Refuses every statement but VALID.
 *
 * @throws {VerificationError} `status_invalid`, `status_suspended`, `status_not_valid` (a value without meaning here).
 *
 * Source: Token Status List -20, section 7.1.
 */
export function requireValidStatus(statement: StatusStatement): void {
  if (statement.status === 'valid') return
  if (statement.status === 'invalid')
    throw new VerificationError('status_invalid', 'The credential is revoked.')
  if (statement.status === 'suspended') {
    throw new VerificationError('status_suspended', 'The credential is suspended for now.')
  }
  throw new VerificationError('status_not_valid', 'The credential has a status that is not understood here.')
}

interface Copy extends Freshness {
  readonly token: StatusListToken
  readonly etag: string | undefined
}

interface Failure {
  readonly error: unknown
  readonly retryAt: NumericDate
}

type Wanted = { readonly uri: string; readonly trust: StatusListTrust; readonly now: NumericDate }

/** Creates a resolver with its own cache. */
export function createStatusResolver(
  options: StatusResolverOptions,
  deps: StatusResolverDeps,
): StatusResolver {
  const { staleIfErrorSeconds = 0, retryAfterSeconds = 10, maxLists = 1_000 } = options
  const copies = createCopies(maxLists, options.maxBytes ?? 268_435_456)
  const failures = new Map<string, Failure>()
  const underWay = new Map<string, Promise<Copy>>()

  async function refresh(key: string, wanted: Wanted): Promise<Copy> {
    try {
      const copy = await fetchCopy(wanted, copies.get(key), { options, deps })
      copies.set(key, copy)
      failures.delete(key)
      return copy
    } catch (error) {
      failures.set(key, { error, retryAt: wanted.now + retryAfterSeconds })
      for (const oldest of [...failures.keys()].slice(0, Math.max(0, failures.size - maxLists))) {
        failures.delete(oldest)
      }
      deps.log.warn('status-list.refresh_failed', { uri: wanted.uri, code: codeOf(error) })
      throw error
    }
  }

  function refreshOnce(key: string, wanted: Wanted): Promise<Copy> {
    const failure = failures.get(key)
    if (failure !== undefined && wanted.now < failure.retryAt) return Promise.reject(failure.error)
    const running = underWay.get(key) ?? refresh(key, wanted).finally(() => underWay.delete(key))
    underWay.set(key, running)
    return running
  }

  return {
    async resolve({ idx, uri }, { trust, now }) {
      const key = `${trust.id} ${uri}`
      const kept = copies.get(key)
      if (kept !== undefined && now < kept.refreshAt) return state(kept, idx, false)
      try {
        return state(await refreshOnce(key, { uri, trust, now }), idx, false)
      } catch (cause) {
        if (cause instanceof VerificationError && cause.code === 'status_index_out_of_bounds') throw cause
        if (kept !== undefined && mayServeStale(kept, now, staleIfErrorSeconds)) return state(kept, idx, true)
        throw new VerificationError('status_unavailable', 'No Status List that counts could be had.', {
          cause,
        })
      }
    },
  }
}

function state({ token }: Copy, idx: number, stale: boolean): StatusStatement {
  const value = statusAt(token.list, idx)
  return { status: statusName(value), value, iat: token.iat, stale }
}

const mayServeStale = (copy: Copy, now: NumericDate, graceSeconds: number): boolean =>
  now < copy.refreshAt + graceSeconds && (copy.unusableAt === undefined || now < copy.unusableAt)

const codeOf = (error: unknown) => (error instanceof VerificationError ? error.code : 'fault')

async function fetchCopy(
  { uri, trust, now }: Wanted,
  kept: Copy | undefined,
  { options, deps }: { readonly options: StatusResolverOptions; readonly deps: StatusResolverDeps },
): Promise<Copy> {
  // A copy past its `exp` cannot be confirmed, only replaced.
  const usable = kept !== undefined && (kept.unusableAt === undefined || now < kept.unusableAt)
  const retrieved = await retrieveStatusList(uri, {
    fetch: deps.fetch,
    etag: usable ? kept.etag : undefined,
    maxBytes: options.maxTokenBytes,
  })
  if (retrieved.state === 'unchanged') {
    if (kept === undefined) throw new VerificationError('status_unavailable', 'There is no copy to confirm.')
    return { ...kept, ...freshnessOf(kept.token, now, options) }
  }

  const token = await verify(retrieved.token, { uri, trust, now }, options)
  if (kept !== undefined && token.iat < kept.token.iat) {
    deps.log.error('status-list.rollback', { uri, kept_iat: kept.token.iat, offered_iat: token.iat })
    throw new VerificationError(
      'status_list_rollback',
      'An older Status List was served than the one already seen.',
    )
  }
  return { token, etag: retrieved.etag, ...freshnessOf(token, now, options) }
}

async function verify(
  text: string,
  { uri, trust, now }: Wanted,
  options: StatusResolverOptions,
): Promise<StatusListToken> {
  const { algorithms, toleranceSeconds, maxInflatedBytes } = options
  const jws = parseStatusListToken(text, options.maxTokenBytes)
  const key = await trust.keyFor(jws, { uri, now })
  return verifyStatusListToken(jws, {
    uri,
    key,
    algorithms,
    now,
    ...(toleranceSeconds === undefined ? {} : { toleranceSeconds }),
    ...(maxInflatedBytes === undefined ? {} : { maxInflatedBytes }),
  })
}

// Bounded by number and by bytes; what was refreshed longest ago goes first.
function createCopies(maxLists: number, maxBytes: number) {
  const copies = new Map<string, Copy>()
  let bytes = 0

  function remove(key: string): void {
    bytes -= copies.get(key)?.token.list.bytes.length ?? 0
    copies.delete(key)
  }

  return {
    get: (key: string): Copy | undefined => copies.get(key),
    set(key: string, copy: Copy): void {
      remove(key)
      copies.set(key, copy)
      bytes += copy.token.list.bytes.length
      for (const oldest of copies.keys()) {
        if (copies.size <= maxLists && bytes <= maxBytes) return
        if (oldest !== key) remove(oldest)
      }
    },
  }
}
