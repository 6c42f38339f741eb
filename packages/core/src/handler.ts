/**
 * Handlers and routes: `Request` in, `Response` out, no framework.
 *
 * Hosts (Express, fetch servers, node:http) carry these; nothing below them knows which.
 *
 * @module
 */

/** Answers one request. */
export type Handler = (request: Request) => Promise<Response>

/** What the named segments of a route's path held, percent-decoded. */
export type PathParameters = Readonly<Record<string, string>>

/** Answers one request of a route. */
export type RouteHandler = (request: Request, parameters: PathParameters) => Promise<Response>

/** A method, a path and what answers there. */
export interface Route {
  /** `GET` serves `HEAD` as well. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'
  /** Absolute path: `:name` stands for one segment, a final `*name` for one or more. */
  readonly path: string
  readonly handle: RouteHandler
}

/** Answers a request, or `undefined` when no route has its path. */
export type Router = (request: Request) => Promise<Response | undefined>

interface CompiledRoute extends Route {
  readonly pattern: RegExp
}

/**
 * Joins routes into one handler.
 *
 * @returns `undefined` for an unknown path, so that a host can go on looking; 405 with `Allow` where only the
 * method differs.
 */
export function routeRequests(routes: readonly Route[]): Router {
  const compiled = routes.map((route) => ({ ...route, pattern: compilePath(route.path) }))
  return async (request) => {
    const { pathname } = new URL(request.url)
    const here = compiled.filter((route) => route.pattern.test(pathname))
    if (here.length === 0) return undefined

    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = here.find((candidate) => candidate.method === method)
    if (route === undefined) return methodNotAllowed(here)

    const parameters = readParameters(route, pathname)
    if (parameters === undefined) return undefined
    const response = await route.handle(request, parameters)
    return request.method === 'HEAD' ? new Response(null, response) : response
  }
}

function compilePath(path: string): RegExp {
  const segments = path.split('/').map((segment) => {
    if (segment.startsWith(':')) return `(?<${segment.slice(1)}>[^/]+)`
    if (segment.startsWith('*')) return `(?<${segment.slice(1)}>.+)`
    return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${segments.join('/')}$`)
}

// `undefined` for a path whose escapes decode to nothing: there is no such resource.
function readParameters(route: CompiledRoute, pathname: string): PathParameters | undefined {
  const groups = route.pattern.exec(pathname)?.groups ?? {}
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]))
  } catch {
    return undefined
  }
}

function methodNotAllowed(routes: readonly Route[]): Response {
  const methods = new Set(routes.map((route) => route.method))
  const allow = [...methods, ...(methods.has('GET') ? ['HEAD'] : [])].join(', ')
  return new Response(null, { status: 405, headers: { Allow: allow } })
}
