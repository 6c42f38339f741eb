/**
 * Our verifier, served over https, trusting one issuer.
 *
 * @module
 */
import {
  createGuardedFetch,
  createMemoryStore,
  type JsonObject,
  type OutboundFetch,
  routeRequests,
  systemClock,
  systemRandom,
} from '@attache/core'
import { createAnchors, type TrustAnchors } from '@attache/keys'
import {
  createVerifier,
  type Gate,
  type Requirement,
  type Verifier,
  type VerifierOptions,
} from '@attache/verifier'
import { createHttpsOrigin } from '../support/https-origin.js'
import { type Certified, certify, recordingLog, tlsAuthority } from './world.js'

/** Our outgoing calls, as an app makes them: guarded, with the authority of this run. */
export const outboundFetch: OutboundFetch = createGuardedFetch({
  ca: [tlsAuthority.pem],
  allowPrivate: ['localhost'],
})

/** Whose credentials count. */
export interface CredentialTrust {
  readonly vct: string
  readonly issuer: string
  readonly anchors: TrustAnchors
}

export interface ServedVerifier {
  readonly verifier: Verifier
  readonly origin: string
  /** Signs requests; its certificate names `localhost`. */
  readonly signing: Certified
  readonly lines: readonly string[]
  /** Guards a path below the origin from now on. */
  guard(path: string, requirement: Requirement): void
  close(): Promise<void>
}

/** What may be different from the usual. */
export interface ServeOptions extends Partial<VerifierOptions> {
  readonly provider?: TrustAnchors
  /** Asks as somebody else than its certificate says. `bare`: the signer has no certificate to show. */
  readonly identity?: (signing: Certified) => Partial<VerifierOptions> & { readonly bare?: boolean }
}

/** Serves a verifier for the credentials of one issuer. */
export async function serveVerifier(
  trust: CredentialTrust,
  options: ServeOptions = {},
): Promise<ServedVerifier> {
  const server = await createHttpsOrigin(tlsAuthority)
  const signing = await certify('Payroll API', { dnsNames: ['localhost'] })
  const { log, lines } = recordingLog()
  const { provider, identity, ...rest } = options
  const { bare = false, ...asking } = identity?.(signing) ?? {}
  const { x5c: _chain, ...withoutChain } = signing.signer
  const verifier = createVerifier(
    {
      origin: server.origin,
      trustedIssuers: [{ vct: trust.vct, anchors: trust.anchors.certificates, issuer: trust.issuer }],
      keyBinding: 'required',
      ...(provider === undefined
        ? {}
        : { walletAttesters: [{ name: 'provider', anchors: provider, clients: 'any' as const }] }),
      ...rest,
      ...asking,
    },
    {
      signer: bare ? withoutChain : signing.signer,
      store: createMemoryStore({ clock: systemClock }),
      fetch: outboundFetch,
      clock: systemClock,
      random: systemRandom,
      log,
    },
  )
  const answer = routeRequests(verifier.routes)
  const gates = new Map<string, Gate>()
  server.serve(async (request) => {
    const gate = gates.get(new URL(request.url).pathname)
    if (gate === undefined) return (await answer(request)) ?? new Response(null, { status: 404 })
    const outcome = await gate(request)
    if (!outcome.allowed) return outcome.response
    return Response.json({ role: outcome.presentation.claims['role'] })
  })
  return {
    verifier,
    origin: server.origin,
    signing,
    lines,
    guard: (path, requirement) => void gates.set(path, verifier.requirePresentation(requirement)),
    close: server.close,
  }
}

/** Anchors under the name that a verifier's messages use. */
export function trustIn(certificates: readonly string[]): TrustAnchors {
  return createAnchors('issuers', certificates)
}

/** A query for the role and region of an agent. */
export function roleQuery(vct: string): JsonObject {
  return {
    credentials: [
      {
        id: 'role_cred',
        format: 'dc+sd-jwt',
        meta: { vct_values: [vct] },
        claims: [{ path: ['role'] }, { path: ['region'] }],
      },
    ],
  }
}
