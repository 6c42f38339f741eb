/**
 * Where trusted issuers push offers: one route, by reference alone.
 *
 * Owns who is heard. There is no login: an offer counts because it lies on the origin of an issuer that is
 * trusted anyway, and is fetched there by us; pushing only says where to look. Nothing is fetched for anybody
 * else, nothing is fetched before the answer, and all pushes share one limit.
 *
 * Source: OpenID4VCI 1.0, section 4.1.3; threat model, rows 26 and 27.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  isJsonObject,
  json,
  type Log,
  member,
  NO_STORE,
  ProtocolError,
  parseHttpsUrl,
  type Random,
  type Route,
  readJson,
} from '@attache/core'
import type { InboxFolder } from './inbox-folder.js'
import { createRateLimit } from './rate-limit.js'

const MOST_BYTES = 8192

const STATUSES = {
  invalid_request: 400,
  untrusted_issuer: 403,
  unknown_agent: 404,
  offer_known: 409,
  too_many_requests: 429,
  inbox_full: 503,
} as const

/** What the route needs. */
export interface InboxRouteDeps {
  readonly folder: InboxFolder
  /** Called when something was kept. */
  readonly onKept: () => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * The route `POST /offers/<agent>`, body `{"credential_offer_uri": "https://…"}`, answer 202.
 *
 * @param facts.issuers Credential Issuer Identifiers whose origins may be named.
 */
export function inboxRoutes(
  facts: {
    readonly agents: readonly string[]
    readonly issuers: readonly string[]
    readonly perMinute: number
    readonly most: number
  },
  deps: InboxRouteDeps,
): readonly Route[] {
  const limit = createRateLimit(facts.perMinute, deps)
  const handle = endpoint(
    async (request, { agent = '' }) => {
      const turn = limit.take()
      if (!turn.allowed) {
        const headers = { 'Retry-After': String(turn.retryAfterSeconds) }
        throw new ProtocolError('too_many_requests', 'Too many offers at once. Come again later.', {
          headers,
        })
      }
      const uri = parsePush(await readJson(request, { maxBytes: MOST_BYTES }))
      const { origin } = uri
      if (!facts.issuers.some((issuer) => new URL(issuer).origin === origin)) {
        throw new ProtocolError('untrusted_issuer', 'The offer lies on the origin of no trusted issuer.')
      }
      if (!facts.agents.includes(agent)) {
        throw new ProtocolError('unknown_agent', 'There is no inbox of this name. Ask the operator.')
      }
      if (deps.folder.list().length >= facts.most) {
        throw new ProtocolError('inbox_full', 'The inbox is full. Come again when its operator has looked.')
      }
      keep(agent, uri, deps)
      return json(202, { outcome: 'kept' }, NO_STORE)
    },
    { statuses: STATUSES, log: deps.log, random: deps.random, event: 'wallet.inbox_push' },
  )
  return [{ method: 'POST', path: '/offers/:agent', handle }]
}

function keep(agent: string, uri: URL, { folder, onKept }: InboxRouteDeps): void {
  const link = `openid-credential-offer://?${new URLSearchParams({ credential_offer_uri: uri.href })}`
  if (folder.keep(agent, link) === 'known') {
    throw new ProtocolError('offer_known', 'This offer came before. Make a new one.')
  }
  onKept()
}

// An offer by value could come from anybody; one by reference is fetched from its issuer.
function parsePush(body: unknown): URL {
  const uri = isJsonObject(body) ? parseHttpsUrl(member(body, 'credential_offer_uri')) : undefined
  if (uri !== undefined) return uri
  throw new ProtocolError('invalid_request', 'Send a JSON object with credential_offer_uri, an https URL.')
}
