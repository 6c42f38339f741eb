/**
 * The inventory of an Express app: no route without a guard that nobody said was public.
 *
 * Looks at declared routes, as Express 4 and 5 keep them. What `app.use` answers by itself (static files, a
 * handler without a route) is no route and is not seen: serve such things from an app without guarded routes.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { Application } from 'express'
import { GUARD } from './require-presentation.js'

/** One declared route. */
export interface DeclaredRoute {
  /** Upper case; `ALL` for `app.all`. */
  readonly method: string
  /** As declared, without the path its router is mounted at. */
  readonly path: string
  readonly guarded: boolean
}

/**
 * Stops the start when a route is neither guarded nor public.
 *
 * @param app With all its routes declared.
 * @param options.public Routes open to everybody, each as `GET /health`.
 * @throws {TypeError} `route_unguarded`: the message names them. `route_unknown`: a public one does not exist.
 */
export function checkGuards(app: Application, options: { readonly public: readonly string[] }): void {
  const routes = listRoutes(app)
  const names = routes.map(nameOf)
  const stale = options.public.filter((name) => !names.includes(name))
  if (stale.length > 0) {
    throw configurationError('route_unknown', `No such public route: ${stale.join(', ')}.`)
  }
  const open = routes.filter(({ guarded }) => !guarded).map(nameOf)
  const unguarded = open.filter((name) => !options.public.includes(name))
  if (unguarded.length === 0) return
  throw configurationError(
    'route_unguarded',
    `No guard stands before ${unguarded.join(', ')}. Add one, or name the route public.`,
  )
}

const nameOf = ({ method, path }: DeclaredRoute): string => `${method} ${path}`

/** Lists the declared routes of an app, those of its routers included. */
export function listRoutes(app: Application): readonly DeclaredRoute[] {
  // Express 4 keeps `_router` and throws on `router`; Express 5 has `router` alone.
  const router = read(app, '_router') ?? read(app, 'router')
  return walk(stackOf(router), false)
}

function walk(stack: readonly unknown[], guardedAbove: boolean): readonly DeclaredRoute[] {
  let guarded = guardedAbove
  return stack.flatMap((layer) => {
    const [route, handle] = [read(layer, 'route'), read(layer, 'handle')]
    if (route !== undefined) return declared(route, guarded)
    if (isGuard(handle) && isEverywhere(layer)) guarded = true
    return walk(stackOf(handle), guarded)
  })
}

function declared(route: unknown, guardedAbove: boolean): readonly DeclaredRoute[] {
  const layers = stackOf(route)
  const path = String(read(route, 'path'))
  const methods = new Set(layers.map((layer) => read(layer, 'method')))
  return [...methods].map((method) => {
    const own = layers.filter((layer) => [undefined, method].includes(text(read(layer, 'method'))))
    // A guard that stands last guards nothing.
    const guarded = guardedAbove || own.slice(0, -1).some((layer) => isGuard(read(layer, 'handle')))
    return { method: (text(method) ?? 'ALL').toUpperCase(), path, guarded }
  })
}

// Mounted without a path: Express 5 says `slash`, Express 4 `fast_slash` on the pattern.
function isEverywhere(layer: unknown): boolean {
  return read(layer, 'slash') === true || read(read(layer, 'regexp'), 'fast_slash') === true
}

function stackOf(router: unknown): readonly unknown[] {
  const stack = read(router, 'stack')
  return Array.isArray(stack) ? stack : []
}

const isGuard = (handle: unknown): boolean => read(handle, GUARD) === true
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function read(from: unknown, name: string | symbol): unknown {
  const readable = typeof from === 'function' || (typeof from === 'object' && from !== null)
  return readable ? Reflect.get(from, name) : undefined
}
