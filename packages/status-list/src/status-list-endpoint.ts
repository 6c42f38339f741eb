/**
 * The endpoints that serve Status List Tokens and their aggregation, to anyone, cacheable, over CORS.
 *
 * Source: Token Status List -20, sections 8.1, 8.2, 8.4 and 9.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  json,
  type Log,
  ProtocolError,
  type Random,
  type Route,
  type RouteHandler,
} from '@attache/core'
import type { PublishedList, PublishList } from './publication.js'
import { STATUS_LIST_MEDIA_TYPE } from './status-list-token.js'

/** Error codes of the endpoints and their HTTP status. */
export const STATUS_LIST_ERRORS: Readonly<Record<string, number>> = {
  not_found: 404,
  not_acceptable: 406,
  time_not_supported: 501,
}

/** What the endpoints need. */
export interface StatusListEndpointDeps {
  readonly publish: PublishList
  readonly uris: () => Promise<readonly string[]>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * The routes `<path>/:list` and `<path>`.
 *
 * @param options.path Absolute path under which lists lie.
 * @param options.cacheSeconds How long shared caches may keep a token.
 */
export function statusListRoutes(
  options: { readonly path: string; readonly cacheSeconds: number },
  deps: StatusListEndpointDeps,
): readonly Route[] {
  const { path, cacheSeconds } = options
  const cacheControl = `public, max-age=${cacheSeconds}`
  const edge = (event: string, work: RouteHandler) =>
    endpoint(work, { statuses: STATUS_LIST_ERRORS, log: deps.log, random: deps.random, event })
  const list = edge('status-list.token', async (request, { list: id = '' }) => {
    refuseUnsupported(request)
    const published = await deps.publish(id, deps.clock())
    if (published === undefined) throw new ProtocolError('not_found', 'No Status List is published here.')
    return answerToken(request, published, cacheControl)
  })
  const aggregation = edge('status-list.aggregation', async () =>
    json(200, { status_lists: await deps.uris() }, { ...CORS, 'Cache-Control': cacheControl }),
  )
  return [
    { method: 'GET', path: `${path}/:list`, handle: list },
    { method: 'OPTIONS', path: `${path}/:list`, handle: answerPreflight },
    { method: 'GET', path, handle: aggregation },
    { method: 'OPTIONS', path, handle: answerPreflight },
  ]
}

// ETag is exposed so that a verifier in a browser can ask conditionally, too.
const CORS = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'ETag' }

async function answerPreflight(): Promise<Response> {
  return new Response(null, {
    status: 204,
    headers: {
      ...CORS,
      'Access-Control-Allow-Methods': 'GET',
      'Access-Control-Allow-Headers': 'Accept, If-None-Match',
      'Access-Control-Max-Age': '86400',
    },
  })
}

function refuseUnsupported(request: Request): void {
  if (new URL(request.url).searchParams.has('time')) {
    throw new ProtocolError('time_not_supported', 'Only the current Status List is served. Leave out time.')
  }
  const accepted = (request.headers.get('Accept') ?? '*/*').split(',').map(mediaRange)
  const fits = [STATUS_LIST_MEDIA_TYPE, 'application/*', '*/*']
  if (!accepted.some(({ name, refused }) => fits.includes(name) && !refused)) {
    throw new ProtocolError('not_acceptable', `The Status List is served as ${STATUS_LIST_MEDIA_TYPE} only.`)
  }
}

function answerToken(request: Request, published: PublishedList, cacheControl: string): Response {
  const { token, etag, gzip } = published
  const compressed = acceptsGzip(request)
  const tag = compressed ? `"${etag}-gzip"` : `"${etag}"`
  const headers = { ...CORS, ETag: tag, 'Cache-Control': cacheControl, Vary: 'Accept-Encoding' }

  const known = (request.headers.get('If-None-Match') ?? '').split(',').map((text) => text.trim())
  if (known.some((text) => text === '*' || text.replace(/^W\//, '') === tag)) {
    return new Response(null, { status: 304, headers })
  }
  const type = { 'Content-Type': STATUS_LIST_MEDIA_TYPE, 'X-Content-Type-Options': 'nosniff' }
  return compressed
    ? new Response(gzip, { headers: { ...headers, ...type, 'Content-Encoding': 'gzip' } })
    : new Response(token, { headers: { ...headers, ...type } })
}

function acceptsGzip(request: Request): boolean {
  const codings = (request.headers.get('Accept-Encoding') ?? '').split(',').map(mediaRange)
  return codings.some(({ name, refused }) => name === 'gzip' && !refused)
}

function mediaRange(text: string): { readonly name: string; readonly refused: boolean } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  return { name, refused: parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) }
}
