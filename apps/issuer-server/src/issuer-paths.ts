/**
 * What several issuers on one listener must satisfy together.
 *
 * Owns the start-up errors: one origin, one tenant and one place each, and no issuer below a path that
 * another one answers.
 *
 * Source: OpenID4VCI 1.0, section 12.2.2; RFC 8414, section 3.1.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { Issuer } from '@attache/issuer'
import type { IssuerServerConfiguration } from './configuration.js'

/**
 * Checks the identifiers of the configuration.
 *
 * @returns The origin they share.
 * @throws {TypeError} `issuer_tenants`, `issuer_paths`, `path_prefix`.
 */
export function checkIssuers({ issuers, listen }: IssuerServerConfiguration): string {
  const tenants = issuers.map((issuer) => issuer.tenant)
  if (new Set(tenants).size < tenants.length) {
    throw configurationError('issuer_tenants', 'Two issuers name one tenant. Give each a tenant of its own.')
  }
  const urls = issuers.map(({ credentialIssuer }) => {
    if (URL.canParse(credentialIssuer)) return new URL(credentialIssuer)
    throw configurationError('issuer_paths', 'credentialIssuer must be an https URL.')
  })
  const [origin = '', ...others] = new Set(urls.map((url) => url.origin))
  if (others.length > 0) {
    throw configurationError('issuer_paths', 'All issuers of a process have one origin and differ in path.')
  }
  const { pathPrefix: prefix = '' } = listen
  if (urls.some(({ pathname }) => !isBelow(pathname, prefix))) {
    throw configurationError('path_prefix', 'Every credentialIssuer must continue listen.pathPrefix.')
  }
  return origin
}

/** Checks that every path has one owner. @throws {TypeError} `issuer_paths`. */
export function checkRoutes(issuers: readonly Issuer[]): void {
  const owned = issuers.map((issuer) => new Set(issuer.routes.map(({ path }) => ownedPath(path))))
  for (const [nth, issuer] of issuers.entries()) {
    const { pathname } = new URL(issuer.credentialIssuer)
    const base = pathname.replace(/\/$/, '')
    const taken = owned.some(
      (paths, owner) => owner !== nth && [...paths].some((path) => isBelow(base, path)),
    )
    const twice = owned.some(
      (paths, owner) => owner < nth && [...paths].some((path) => owned[nth]?.has(path)),
    )
    if (taken || twice) {
      throw configurationError(
        'issuer_paths',
        `Another issuer answers below the path ${base}/. Choose another one.`,
      )
    }
  }
}

/** The part of a route's path that stands before its first parameter. */
function ownedPath(path: string): string {
  return path.replace(/\/[:*].*$/, '')
}

function isBelow(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`)
}
