/**
 * A verifier for Express: what it works with filled in, its routes and guards as handlers.
 *
 * @module
 */
import {
  configurationError,
  createAddressList,
  createGuardedFetch,
  type JsonObject,
  SILENT_LOG,
  systemClock,
  systemRandom,
} from '@attache/core'
import {
  type ClaimsOf,
  createVerifier,
  isPlainPath,
  type Requirement,
  type Verifier,
  type VerifierDeps,
  type VerifierOptions,
} from '@attache/verifier'
import type { RequestHandler } from 'express'
import type { Guard } from './presented-request.js'
import { type GuardOptions, guard } from './require-presentation.js'
import { createRouter } from './router.js'
import type { ConnectionOptions } from './web-request.js'

/** A verifier whose routes and gates are Express handlers. */
export interface ExpressVerifier
  extends Pick<Verifier, 'startTransaction' | 'redeemResult' | 'redeemPage' | 'explain' | 'reloadTrust'> {
  /** `app.use(verifier.routes)`, at the root and before any body parser. */
  readonly routes: RequestHandler
  /** `app.post(path, verifier.requirePresentation(…), handler)`. */
  requirePresentation<const Query extends JsonObject>(requirement: Requirement<Query>): Guard<ClaimsOf<Query>>
}

/** What a verifier for Express is told: its own options, and where a proxy puts it. */
export interface ExpressVerifierOptions extends VerifierOptions, Pick<GuardOptions, 'pathPrefix'> {
  /** For a server that ends TLS itself, with `requestCert`: tokens are bound to its clients' certificates. @default false */
  readonly tlsClientCertificates?: boolean
  /**
   * Who may send the field of `clientCertificate`: addresses, or networks as `10.1.0.0/16`, of the proxies right before
   * this server. What anybody else sends under that name is dropped. Must be given with `clientCertificate`.
   */
  readonly trustedProxies?: readonly string[]
}

const CERTIFICATE_FIELD = 'Client-Cert'

/**
 * Creates a verifier for Express.
 *
 * @param options.pathPrefix For guards behind a proxy that takes a path away. The verifier's own routes lie at the
 *   root of the origin all the same: let the proxy pass `/.well-known/oauth-…` and the endpoints' path unchanged.
 * @param deps `signer` and `store`; clock, randomness, log and guarded fetch are the system's unless given.
 * @throws {TypeError} `path_prefix`; `trusted_proxies`: a certificate is read from a field, and nobody is said to be
 *   the proxy that writes it, or the server ends TLS itself; `address_malformed`; or as `createVerifier`.
 */
export function createExpressVerifier(
  options: ExpressVerifierOptions,
  deps: Pick<VerifierDeps, 'signer' | 'store'> & Partial<VerifierDeps>,
): ExpressVerifier {
  const { pathPrefix } = options
  if (pathPrefix !== undefined && !(isPlainPath(pathPrefix) && !pathPrefix.endsWith('/'))) {
    throw configurationError('path_prefix', 'The pathPrefix starts with a slash and does not end with one.')
  }
  const system = { clock: systemClock, random: systemRandom, log: SILENT_LOG }
  const connection = certificatesOf(options)
  const direct = options.tlsClientCertificates === true
  // Towards the verifier this host is the trusted proxy of its own connections.
  const source = direct ? { clientCertificate: { from: 'proxy' as const, header: CERTIFICATE_FIELD } } : {}
  const verifier = createVerifier(
    { ...options, ...source },
    {
      ...system,
      fetch: deps.fetch ?? createGuardedFetch({}),
      ...deps,
    },
  )
  return {
    routes: createRouter(verifier.routes, connection),
    requirePresentation: (requirement) =>
      guard(verifier.requirePresentation(requirement), { pathPrefix, ...connection }),
    startTransaction: verifier.startTransaction,
    redeemResult: verifier.redeemResult,
    redeemPage: verifier.redeemPage,
    explain: verifier.explain,
    reloadTrust: verifier.reloadTrust,
  }
}

// Where certificates come from: of this server's own connections, or of the proxies it was told.
function certificatesOf(options: ExpressVerifierOptions): ConnectionOptions {
  const { clientCertificate, trustedProxies = [], tlsClientCertificates = false } = options
  if ((clientCertificate !== undefined) !== trustedProxies.length > 0) {
    throw configurationError(
      'trusted_proxies',
      'Name the proxies that write the field of clientCertificate in trustedProxies, or leave out both.',
    )
  }
  if (tlsClientCertificates && clientCertificate !== undefined) {
    throw configurationError(
      'trusted_proxies',
      'Certificates come from this connection or from a proxy, never from both.',
    )
  }
  if (tlsClientCertificates) return { clientCertificateField: CERTIFICATE_FIELD }
  if (clientCertificate === undefined) return {}
  return {
    proxyCertificate: { field: clientCertificate.header, isProxy: createAddressList(trustedProxies) },
  }
}
