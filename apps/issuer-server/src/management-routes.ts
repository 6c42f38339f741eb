/**
 * The management API: what an operator does with the issuer.
 *
 * Owns the routes under `/manage/v1/` and their bearer token. Served on a listener of its own, on this
 * machine only. Every operation itself is the issuer's or the directory's.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  equalText,
  type JsonObject,
  json,
  type Log,
  NO_STORE,
  ProtocolError,
  type Random,
  type Route,
  type RouteHandler,
  readBody,
  readJson,
} from '@attache/core'
import {
  type CreatedOffer,
  type Directory,
  type ImportReport,
  ISSUER_MANAGEMENT_ERRORS,
  type Issuer,
  type RegisterEntry,
  type WaitingCredential,
} from '@attache/issuer'
import { makeCredentialOffer } from '@attache/openid4vci'
import { type CsvRows, parseCsvRows } from './csv-rows.js'
import {
  parseDecisionRequest,
  parseOfferRequest,
  parseQrRequest,
  parseStatusRequest,
} from './management-request.js'
import { offerQrCode } from './offer-qr.js'

/** What the management API works with. */
export interface ManagementDeps {
  readonly issuer: Issuer
  readonly directory: Directory
  readonly token: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const MAX_CSV_BYTES = 4_194_304
const MAX_JSON_BYTES = 65_536
const PAGE = 500
const PERSON_COLUMNS = ['employee_id', 'family_name', 'given_name', 'email', 'role', 'region', 'department']

/** The routes of one issuer's management API. @param place Between `/manage/v1/` and the calls; empty or `…/`. */
export function managementRoutes(place: string, deps: ManagementDeps): readonly Route[] {
  const { issuer, directory, clock } = deps
  const body = (request: Request) => readJson(request, { maxBytes: MAX_JSON_BYTES })
  const routes = [
    guarded(deps, 'POST people', async (request) => {
      const read = parseCsvRows(await csvBody(request), PERSON_COLUMNS)
      return json(200, reportBody(read, await directory.importPeople(read.rows, clock())), NO_STORE)
    }),
    guarded(deps, 'POST agents', async (request) => {
      const read = parseCsvRows(await csvBody(request), ['agent', 'owner', 'purpose'])
      return json(200, reportBody(read, await directory.importAgents(read.rows, clock())), NO_STORE)
    }),
    guarded(deps, 'POST offers', async (request) => {
      const now = clock()
      const created = await issuer.createOffer(parseOfferRequest(await body(request)), now)
      return json(201, offerBody(created, now), NO_STORE)
    }),
    // The link comes back in: the server keeps no offer's secret, and a URL with one would end up in logs.
    guarded(deps, 'POST offers/qr', async (request) => {
      const svg = offerQrCode(parseQrRequest(await body(request)).offer)
      return new Response(svg, { status: 200, headers: { ...NO_STORE, 'Content-Type': 'image/svg+xml' } })
    }),
    guarded(deps, 'POST credentials/status', async (request) => {
      const { query, status } = parseStatusRequest(await body(request))
      const changed = await issuer.changeStatus(query, status)
      return json(200, { changed: changed.map((entry) => entry.id), status }, NO_STORE)
    }),
    guarded(deps, 'GET deferred', async () => {
      const waiting = await issuer.listDeferred()
      return json(200, { deferred: waiting.map(waitingBody) }, NO_STORE)
    }),
    guarded(deps, 'POST deferred', async (request) => {
      const { id, decision } = parseDecisionRequest(await body(request))
      await issuer.decideDeferred(id, decision)
      return json(200, { id, decision }, NO_STORE)
    }),
    guarded(deps, 'GET credentials', async (request) => {
      const after = new URL(request.url).searchParams.get('after') ?? undefined
      if (after !== undefined && !/^crd_[\w-]{1,64}$/.test(after)) {
        throw new ProtocolError('invalid_request', 'after is the id of the last credential of a page.')
      }
      const entries = await issuer.listCredentials({ after, limit: PAGE })
      const next = entries.length === PAGE ? { next: entries.at(-1)?.id ?? '' } : {}
      return json(200, { credentials: entries.map(entryBody), ...next }, NO_STORE)
    }),
  ]
  return routes.map((route) => ({ ...route, path: `/manage/v1/${place}${route.path}` }))
}

/** A route whose path is that of the call alone. */
function guarded(deps: ManagementDeps, call: `${'GET' | 'POST'} ${string}`, work: RouteHandler): Route {
  const [method, path = ''] = call.startsWith('GET ')
    ? (['GET', call.slice(4)] as const)
    : (['POST', call.slice(5)] as const)
  const statuses = { ...ISSUER_MANAGEMENT_ERRORS, unauthorized: 401, unsupported_media_type: 415 }
  const handle = endpoint(
    async (request, parameters) => {
      const [, token = ''] = /^bearer (\S+)$/i.exec(request.headers.get('Authorization') ?? '') ?? []
      if (!equalText(token, deps.token)) {
        throw new ProtocolError('unauthorized', 'Send the management token as a bearer token.', {
          headers: { 'WWW-Authenticate': 'Bearer' },
        })
      }
      return work(request, parameters)
    },
    { ...deps, statuses, event: `management.${path.replace('/', '.')}` },
  )
  return { method, path, handle }
}

async function csvBody(request: Request): Promise<Uint8Array> {
  if (!/^text\/csv(;|$)/i.test(request.headers.get('Content-Type') ?? '')) {
    throw new ProtocolError('unsupported_media_type', 'Send the export with Content-Type text/csv.')
  }
  return readBody(request, { maxBytes: MAX_CSV_BYTES })
}

function reportBody(read: CsvRows, report: ImportReport): JsonObject {
  const refused = [...read.refused, ...report.refused].toSorted((a, b) => a.line - b.line)
  return { imported: report.imported, refused: refused.map(({ line, reason }) => ({ line, reason })) }
}

function offerBody(created: CreatedOffer, now: number): JsonObject {
  return {
    id: created.id,
    offer: created.uri,
    expires_in: created.expiresAt - now,
    ...(created.credentialOfferUri === undefined ? {} : { credential_offer_uri: created.credentialOfferUri }),
    ...(created.offer === undefined ? {} : { credential_offer: makeCredentialOffer(created.offer) }),
    ...(created.txCode === undefined ? {} : { tx_code: created.txCode }),
  }
}

function entryBody(entry: RegisterEntry): JsonObject {
  return {
    id: entry.id,
    agent: entry.agent,
    owner: entry.owner,
    template: entry.template,
    template_version: entry.templateVersion,
    issued_at: entry.issuedAt,
    expires_at: entry.expiresAt,
    status_list: entry.status,
  }
}

function waitingBody(waiting: WaitingCredential): JsonObject {
  const { id, agent, template, state, requestedAt } = waiting
  return { id, agent, template, state, requested_at: requestedAt }
}
