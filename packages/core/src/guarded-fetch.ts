/**
 * The guarded fetch: the only way out for everything that a credential, a request or a configuration
 * points at.
 *
 * https only; no redirect; limits of time and size; internal addresses refused unless configured; the
 * address that was checked is the one connected to (a second DNS answer is never asked for). Written over
 * node:https because the global `fetch` takes neither a pinned address nor further CA certificates.
 *
 * Source: SD-JWT VC, sections 3 and 7.1; Token Status List, section 11.4; OpenID4VP 1.0, section 14.8.
 *
 * @module
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { Agent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import { isInternalAddress } from './addresses.js'
import { VerificationError } from './errors.js'
import { readAnswer } from './guarded-answer.js'
import { OUTBOUND_ERRORS, type OutboundFetch, type OutboundRequest } from './outbound.js'

/** Resolves a host name to all its addresses. */
export type ResolveHost = (hostname: string) => Promise<readonly { address: string; family: number }[]>

/** What a guarded fetch may reach, and how. */
export interface GuardedFetchOptions {
  /** PEM certificates trusted in addition to those that Node carries. */
  readonly ca?: readonly string[]
  /** Hosts (`name` or `name:port`) whose internal addresses may be reached. None by default. */
  readonly allowPrivate?: readonly string[]
  /** @default the resolver of the machine */
  readonly resolveHost?: ResolveHost
}

const DEFAULT_TIMEOUT_MS = 3000
const DEFAULT_MAX_BYTES = 262_144
const INTERNAL_NAMES = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa)\.?$/i

/**
 * Creates a guarded fetch.
 *
 * @returns A function that throws `VerificationError` with a `fetch_…` code for what it refuses or cannot do.
 */
export function createGuardedFetch(options: GuardedFetchOptions = {}): OutboundFetch {
  const agent = new Agent({
    keepAlive: false,
    maxCachedSessions: 100,
    minVersion: 'TLSv1.2',
    ...(options.ca === undefined ? {} : { ca: [...rootCertificates, ...options.ca] }),
  })
  const resolveHost = options.resolveHost ?? resolveBySystem
  const allowPrivate = new Set((options.allowPrivate ?? []).map((host) => host.toLowerCase()))

  return async (text, init = {}) => {
    const url = parseTarget(text)
    const deadline = AbortSignal.timeout(init.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const signal = init.signal === undefined ? deadline : AbortSignal.any([deadline, init.signal])
    try {
      const allowed = allowPrivate.has(url.host) || allowPrivate.has(url.hostname)
      const address = await abortable(pinAddress(url, allowed, resolveHost), signal)
      return await call(url, { ...init, signal }, { agent, address })
    } catch (error) {
      if (error instanceof VerificationError) throw error
      throw refusal(deadline.aborted ? 'fetch_timed_out' : 'fetch_failed', url, error)
    }
  }
}

function parseTarget(text: string): URL {
  if (!URL.canParse(text)) throw new VerificationError('fetch_url_invalid', OUTBOUND_ERRORS.fetch_url_invalid)
  const url = new URL(text)
  if (url.protocol !== 'https:') throw refusal('fetch_not_https', url)
  if (url.username !== '' || url.password !== '') throw refusal('fetch_url_invalid', url)
  return url
}

// The origin only: a path or query may hold what no log should.
function refusal(code: keyof typeof OUTBOUND_ERRORS, url: URL, cause?: unknown): VerificationError {
  return new VerificationError(code, `${OUTBOUND_ERRORS[code]} (${url.origin})`, { cause })
}

async function pinAddress(url: URL, allowed: boolean, resolveHost: ResolveHost): Promise<LookupAddress> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  if (!allowed && INTERNAL_NAMES.test(hostname)) throw refusal('fetch_address_refused', url)

  const family = isIP(hostname)
  const addresses = family === 0 ? await resolveHost(hostname) : [{ address: hostname, family }]
  // One internal answer among public ones is how a rebinding begins: all must be public.
  if (!allowed && addresses.some(({ address }) => isInternalAddress(address))) {
    throw refusal('fetch_address_refused', url)
  }
  // IPv4 first: many hosts announce an IPv6 address that their network does not route.
  const chosen = addresses.find((candidate) => candidate.family === 4) ?? addresses[0]
  if (chosen === undefined) throw refusal('fetch_failed', url)
  return { ...chosen }
}

const resolveBySystem: ResolveHost = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })

interface Connection {
  readonly agent: Agent
  readonly address: LookupAddress
}

function call(url: URL, init: OutboundRequest, { agent, address }: Connection): Promise<Response> {
  const lookup: LookupFunction = (_hostname, options, callback) => {
    if (options.all === true) callback(null, [address])
    else callback(null, address.address, address.family)
  }
  const limits = {
    maxBytes: init.maxBytes ?? DEFAULT_MAX_BYTES,
    contentTypes: init.contentTypes ?? [],
    redirects: init.redirects === 'return',
  }
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      url,
      {
        agent,
        lookup,
        method: init.method ?? 'GET',
        headers: { ...init.headers, ...lengthOf(init.body) },
        ...(init.signal === undefined ? {} : { signal: init.signal }),
      },
      (incoming) => readAnswer(incoming, url, limits).then(resolve, reject),
    )
    outgoing.on('error', reject)
    outgoing.end(init.body)
  })
}

function lengthOf(body: string | Uint8Array | undefined): Record<string, string> {
  return body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}
