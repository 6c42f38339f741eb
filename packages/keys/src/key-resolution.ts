/**
 * Which key counts for an issuer: decided by policy, never by what a token says about itself.
 *
 * An issuer is pinned to one mechanism, or falls under one list of anchors. Members of the header such as
 * `jwk`, `jku` and `x5u` are not read at all; an `x5c` where the policy says otherwise is refused.
 * Whether an issuer may issue a type (`vct`) is the caller's policy.
 *
 * Source: SD-JWT VC (-19), sections 2.5, 4 and 7.3; RFC 9901, sections 7.1 and 9.1; OpenID Connect Discovery 1.0,
 * section 4.
 *
 * @module
 */
import {
  type JsonObject,
  type Log,
  member,
  type NumericDate,
  type OutboundFetch,
  parseHttpsUrl,
  SILENT_LOG,
} from '@attache/core'
import { misconfiguration, refusal } from './error-codes.js'
import {
  fetchIssuerKeys,
  fetchJwks,
  fetchProviderKeys,
  type KeyFetchDeps,
  providerMetadataUrl,
} from './issuer-metadata.js'
import type { PublicJwk } from './jwk.js'
import { parseJwks } from './jwks.js'
import { selectKey, wantedKey } from './key-selection.js'
import { createKeySetCache, type KeySetCache, type KeySetCacheOptions } from './key-set-cache.js'
import type { VerifiedChain } from './valid-paths.js'
import { parseX5c } from './x5c.js'
import { type TrustAnchors, verifyCertificateChain } from './x509.js'

/** Trust by certificate chain. */
export interface X5cTrust {
  readonly anchors: TrustAnchors
  /** Object identifier the leaf must carry. */
  readonly extendedKeyUsage?: string
}

/** How the keys of one issuer are found. */
export type IssuerTrust =
  | ({ readonly mechanism: 'x5c' } & X5cTrust)
  | { readonly mechanism: 'jwks'; readonly jwks: JsonObject }
  | { readonly mechanism: 'jwks_uri'; readonly uri: string }
  | { readonly mechanism: 'jwt-vc-issuer' }
  /** For tokens of an OpenID Provider: the `jwks_uri` of its metadata. */
  | { readonly mechanism: 'openid-configuration' }

/** Whose keys count. Nobody is trusted by default. */
export interface IssuerKeysOptions {
  /** Issuers pinned to one mechanism, by `iss`, compared character by character. */
  readonly issuers?: Readonly<Record<string, IssuerTrust>>
  /**
   * For every other token: its `x5c` must lead to one of these anchors. The issuer is then the subject of the
   * leaf; an `iss` counts as identity only if a SAN of the leaf is equal to it or to its host.
   */
  readonly x5c?: X5cTrust & {
    /** Refuse an `iss` that is not bound to the leaf, instead of not using it. @default false */
    readonly requireIssBinding?: boolean
  }
  readonly cache?: KeySetCacheOptions
}

/** A key, and who is shown to hold it. */
export interface ResolvedIssuerKey {
  readonly key: PublicJwk
  readonly mechanism: IssuerTrust['mechanism']
  /** The issuer identifier, if it is proven; absent where an `iss` was missing or not bound to the leaf. */
  readonly issuer?: string
  /** The chain, where the key came by `x5c`. */
  readonly chain?: VerifiedChain
}

/** Finds the key that must have signed a token of an issuer. */
export interface IssuerKeys {
  /**
   * Resolves the key for a token that is not verified yet.
   *
   * @param token.issuer The `iss` of its payload, if it is there.
   * @throws {VerificationError} `issuer_untrusted`, `issuer_mechanism_refused`, `issuer_not_bound`,
   *   `issuer_key_not_found`, `issuer_key_ambiguous`, `issuer_keys_unavailable`; for chains the codes of
   *   `verifyCertificateChain`.
   */
  resolve(token: {
    header: JsonObject
    issuer: string | undefined
    now: NumericDate
  }): Promise<ResolvedIssuerKey>
}

/**
 * Makes the resolver of a trust policy. Nothing is fetched before a token asks for it.
 *
 * @throws {TypeError} `issuer_trust_invalid`: an issuer or URL that is not https, a literal set without usable
 *   keys, with a private member or with a repeated `kid`.
 *
 * Source: SD-JWT VC (-19), sections 2.5 and 7.3.
 */
export function createIssuerKeys(
  options: IssuerKeysOptions,
  deps: { fetch: OutboundFetch; log?: Log },
): IssuerKeys {
  const cache = createKeySetCache(options.cache)
  const fetchDeps = { fetch: deps.fetch, log: deps.log ?? SILENT_LOG }
  const pinned = new Map(
    Object.entries(options.issuers ?? {}).map(([issuer, trust]) => [
      issuer,
      resolverOf(issuer, trust, { ...fetchDeps, cache }),
    ]),
  )
  return {
    async resolve(token) {
      const resolver = token.issuer === undefined ? undefined : pinned.get(token.issuer)
      if (resolver !== undefined) return resolver(token)
      if (options.x5c === undefined) {
        throw refusal('issuer_untrusted', 'The issuer is not trusted here. Add it to the policy.')
      }
      return byChain(token, options.x5c)
    },
  }
}

interface Token {
  readonly header: JsonObject
  readonly issuer: string | undefined
  readonly now: NumericDate
}

type Resolver = (token: Token) => Promise<ResolvedIssuerKey>

function resolverOf(
  issuer: string,
  trust: IssuerTrust,
  deps: KeyFetchDeps & { cache: KeySetCache },
): Resolver {
  // The claimed `iss` chose the list of anchors, so here it has to be bound to the leaf.
  if (trust.mechanism === 'x5c') return async (token) => byChain(token, { ...trust, requireIssBinding: true })

  const { mechanism } = trust
  const find = finderOf(issuer, trust, deps)
  return async ({ header, now }) => {
    if (Object.hasOwn(header, 'x5c')) {
      throw refusal('issuer_mechanism_refused', 'The keys of this issuer do not come from x5c.')
    }
    return { key: await find(header, now), mechanism, issuer }
  }
}

type KeyFinder = (header: JsonObject, now: NumericDate) => Promise<PublicJwk>

function finderOf(
  issuer: string,
  trust: Exclude<IssuerTrust, { mechanism: 'x5c' }>,
  deps: KeyFetchDeps & { cache: KeySetCache },
): KeyFinder {
  if (trust.mechanism === 'jwks') {
    const keys = literalKeys(trust.jwks)
    return async (header) => requireFound(selectKey(keys, wantedKey(header)))
  }
  if (trust.mechanism === 'jwks_uri') {
    const { uri } = trust
    if (parseHttpsUrl(uri) === undefined) throw invalidTrust('A jwks_uri must be an https URL.')
    const source = { name: `jwks_uri ${uri}`, load: () => fetchJwks(uri, deps) }
    return (header, now) => deps.cache.find(source, wantedKey(header), now)
  }
  requireMetadataIssuer(issuer)
  const { mechanism } = trust
  const fetchKeys = mechanism === 'jwt-vc-issuer' ? fetchIssuerKeys : fetchProviderKeys
  const source = { name: `${mechanism} ${issuer}`, load: () => fetchKeys(issuer, deps) }
  return (header, now) => deps.cache.find(source, wantedKey(header), now)
}

async function byChain(
  { header, issuer, now }: Token,
  trust: X5cTrust & { requireIssBinding?: boolean },
): Promise<ResolvedIssuerKey> {
  const x5c = parseX5c(member(header, 'x5c'))
  if (x5c === undefined) {
    throw refusal('issuer_mechanism_refused', 'The key of this issuer must come by x5c.')
  }
  const chain = verifyCertificateChain(x5c, { ...trust, now })
  const bound = issuer !== undefined && isBound(issuer, chain)
  if (!bound && issuer !== undefined && trust.requireIssBinding === true) {
    throw refusal('issuer_not_bound', 'The certificate does not name the issuer of the token.')
  }
  return { key: chain.leafKey, mechanism: 'x5c', chain, ...(bound ? { issuer } : {}) }
}

/** An `iss` is bound by an equal URI name, or by a DNS name equal to its host. Wildcards bind nobody. */
function isBound(issuer: string, chain: VerifiedChain): boolean {
  if (chain.uris.includes(issuer)) return true
  const host = parseHttpsUrl(issuer)?.hostname
  return host !== undefined && chain.dnsNames.some((name) => name.toLowerCase() === host)
}

function literalKeys(jwks: JsonObject): readonly PublicJwk[] {
  const skipped: string[] = []
  const keys = parseJwks(jwks, ({ code }) => skipped.push(code))
  const kids = keys.flatMap(({ kid }) => kid ?? [])
  if (keys.length === 0 || skipped.includes('jwk_private_member') || new Set(kids).size !== kids.length) {
    throw invalidTrust('A literal JWK Set needs public keys with distinct kid values.')
  }
  return keys
}

function requireMetadataIssuer(issuer: string): void {
  try {
    providerMetadataUrl(issuer)
  } catch {
    throw invalidTrust('An issuer with metadata must be an https URL without query and fragment.')
  }
}

function requireFound(key: PublicJwk | undefined): PublicJwk {
  if (key !== undefined) return key
  throw refusal('issuer_key_not_found', 'The issuer has no key that the token could be signed with.')
}

function invalidTrust(message: string): TypeError {
  return misconfiguration('issuer_trust_invalid', message)
}
