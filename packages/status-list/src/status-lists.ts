/**
 * The issuer's side: allocates, changes and publishes the Status Lists of one tenant.
 *
 * Composes allocation (index-allocation.ts), changes (status-change.ts), publication (publication.ts) and the
 * endpoints (status-list-endpoint.ts). Who may revoke what is the issuer's decision.
 *
 * Source: Token Status List -20, sections 5, 7, 8, 12 and 13.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  type Log,
  type NumericDate,
  parseHttpsUrl,
  type Random,
  type Route,
  type Store,
  type StoreStep,
  withoutTrailingSlash,
} from '@attache/core'
import type { Signer } from '@attache/keys'
import { type IndexProposal, proposeIndices } from './index-allocation.js'
import { listKeys } from './list-record.js'
import { createPublication, listUris, type PublishedList } from './publication.js'
import { proposeChanges, readStatus, type StatusChange } from './status-change.js'
import { isStatusBits, type StatusBits } from './status-list.js'
import { statusListRoutes } from './status-list-endpoint.js'
import type { StatusReference } from './status-reference.js'

/** How an issuer keeps its lists. Lists that exist keep the bits and size they were made with. */
export interface StatusListsOptions {
  /** Credential Issuer Identifier, https; lists lie at `<issuer>/status/<id>`. */
  readonly issuer: string
  readonly tenant: string
  /** Bits per status: 1 revokes, 2 also suspends. Every further value tells the world more about a holder. */
  readonly bits: StatusBits
  /** Entries of a new list; a credential hides among so many. @default 1048576 */
  readonly size?: number
  /** Lists of one expiry month that are filled at the same time; a batch is spread over them. @default 1 */
  readonly openLists?: number
  /** How long verifiers may use a copy, in seconds. */
  readonly ttlSeconds: number
  /** How long a token can be used at all, in seconds; bounds replay of an old list, and outages. */
  readonly lifetimeSeconds: number
  /** How long shared caches may keep a token, in seconds. @default a tenth of `ttlSeconds` */
  readonly cacheSeconds?: number
}

/** What the lists are kept with. */
export interface StatusListsDeps {
  readonly store: Pick<Store, 'get' | 'list' | 'commit'>
  /** Signs the tokens; another key than the credentials' is fine. */
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The Status Lists of one tenant. */
export interface StatusLists {
  /**
   * Proposes indices for credentials that expire at `expiresAt`. Put the steps into the commit that issues;
   * when it fails for no other reason, propose anew.
   */
  propose(wanted: { readonly expiresAt: NumericDate; readonly count?: number }): Promise<IndexProposal>
  /** Takes indices at once, for whoever has no commit of their own. */
  allocate(wanted: {
    readonly expiresAt: NumericDate
    readonly count?: number
  }): Promise<readonly StatusReference[]>
  /**
   * The steps of some changes, for the caller's commit; when that fails, propose anew.
   *
   * @throws {VerificationError} `status_list_unknown`, `status_index_out_of_bounds`, `status_not_supported`,
   *   `status_final`.
   */
  proposeChanges(changes: readonly StatusChange[]): Promise<readonly StoreStep[]>
  /** Makes some changes, all or none. @throws {VerificationError} as `proposeChanges`. */
  change(changes: readonly StatusChange[]): Promise<void>
  /** The raw status that stands at a reference. @throws {VerificationError} as `proposeChanges`. */
  statusOf(reference: StatusReference): Promise<number>
  /** The token of a list, by id or URI; `undefined` when there is no such list. */
  publish(list: string): Promise<PublishedList | undefined>
  /** GET and OPTIONS of the lists and of their aggregation. */
  readonly routes: readonly Route[]
  /** URI of the aggregation, for `status_list_aggregation_endpoint` of the metadata. */
  readonly aggregationUri: string
  /** From a change to the last verifier that keeps to `ttl`, in seconds. */
  readonly revocationLatencySeconds: number
}

const DEFAULT_SIZE = 1_048_576
const SMALL_LIST = 10_000
const MAX_ATTEMPTS = 64

/**
 * Creates the issuer's side.
 *
 * @throws {TypeError} `status_list_options`: the message names the option.
 */
export function createStatusLists(options: StatusListsOptions, deps: StatusListsDeps): StatusLists {
  checkOptions(options)
  const { bits, size = DEFAULT_SIZE, openLists = 1, ttlSeconds, lifetimeSeconds } = options
  const cacheSeconds = options.cacheSeconds ?? Math.floor(ttlSeconds / 10)
  if (size < SMALL_LIST) deps.log.warn('status-list.small', { size, advised: SMALL_LIST })

  const base = `${withoutTrailingSlash(options.issuer)}/status`
  const keys = listKeys(options.tenant)
  const { store, random, clock } = deps
  const publish = createPublication({ ttlSeconds, lifetimeSeconds, aggregationUri: base }, { ...deps, keys })
  const propose: StatusLists['propose'] = ({ expiresAt, count = 1 }) =>
    proposeIndices({ expiresAt, count }, { base, bits, size, openLists }, { store, keys, random })
  const changeDeps = { store, keys, base }
  const inLine = createLine()

  return {
    propose,
    allocate: (wanted) =>
      attempt(store, async () => {
        const { references, steps } = await propose(wanted)
        return { result: references, steps }
      }),
    proposeChanges: (changes) => proposeChanges(changes, changeDeps),
    // One after another: changes of a list would only make each other try again.
    change: (changes) =>
      inLine(() =>
        attempt(store, async () => ({ result: undefined, steps: await proposeChanges(changes, changeDeps) })),
      ),
    statusOf: (reference) => readStatus(reference, changeDeps),
    publish: (list) => publish(list.startsWith(`${base}/`) ? list.slice(base.length + 1) : list, clock()),
    routes: statusListRoutes(
      { path: new URL(base).pathname, cacheSeconds },
      { ...deps, publish, uris: () => listUris({ store, keys }) },
    ),
    aggregationUri: base,
    revocationLatencySeconds: ttlSeconds + cacheSeconds,
  }
}

function checkOptions(options: StatusListsOptions): void {
  const { issuer, bits, size = DEFAULT_SIZE, openLists = 1, ttlSeconds, lifetimeSeconds } = options
  const url = parseHttpsUrl(issuer)
  if (url === undefined || url.search !== '' || url.hash !== '')
    refuse('issuer is an https URL without query')
  if (!isStatusBits(bits)) refuse('bits is 1, 2, 4 or 8')
  if (!isWithin(size, 1, 2 ** 27)) refuse('size is a number of entries up to 134217728')
  if (!isWithin(openLists, 1, 64)) refuse('openLists is 1 to 64')
  if (!isWithin(ttlSeconds, 1, lifetimeSeconds))
    refuse('ttlSeconds is at least 1 and at most lifetimeSeconds')
  if (!isWithin(lifetimeSeconds, 1, 366 * 86_400)) refuse('lifetimeSeconds is at most a year')
  if (!isWithin(options.cacheSeconds ?? 0, 0, ttlSeconds)) refuse('cacheSeconds is at most ttlSeconds')
}

const isWithin = (value: number, least: number, most: number) =>
  Number.isSafeInteger(value) && value >= least && value <= most

function refuse(rule: string): never {
  throw configurationError('status_list_options', `The Status List options are wrong: ${rule}.`)
}

async function attempt<Result>(
  store: Pick<Store, 'commit'>,
  propose: () => Promise<{ readonly result: Result; readonly steps: readonly StoreStep[] }>,
): Promise<Result> {
  for (let tries = 0; tries < MAX_ATTEMPTS; tries += 1) {
    const { result, steps } = await propose()
    if (steps.length === 0 || (await store.commit(steps))) return result
  }
  throw new Error('The Status List moved at every attempt to change it.')
}

function createLine() {
  let last: Promise<unknown> = Promise.resolve()
  return <Result>(work: () => Promise<Result>): Promise<Result> => {
    const next = last.then(work, work)
    last = next.catch(() => undefined)
    return next
  }
}
