/**
 * Keys that sign an API's answers: those it publishes, as far as the configured verifier vouches for them.
 *
 * A proxy that ends TLS could publish keys of its own. So a key counts only when it is the verifier's by the same
 * rule that its requests are known by: a certificate chain to its anchors, made out to its Client Identifier, or the
 * keys registered for it. A verifier known by neither (a DID) is believed what its origin publishes.
 *
 * Source: RFC 9728, section 2 (`jwks_uri`); RFC 7517, section 4.7; OpenID4VP 1.0, section 5.9.3.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonValue,
  member,
  type NumericDate,
  type OutboundFetch,
  VerificationError,
} from '@attache/core'
import {
  jwkThumbprint,
  type PublicJwk,
  parsePublicJwk,
  type TrustAnchors,
  verifyCertificateChain,
} from '@attache/keys'
import { parseClientIdentifier, x509HashClientIdentifier } from '@attache/openid4vp'
import { fetchJsonDocument } from './fetch-document.js'
import type { TrustedVerifier } from './options.js'

/** Finds keys, and keeps them for five minutes. */
export interface ResourceKeys {
  /**
   * @param where.fresher Ask again: an answer is signed by none of the keys at hand. Not done twice in 30 seconds.
   * @throws {VerificationError} As the fetch; `metadata`.
   */
  of(
    where: { readonly jwksUri: string; readonly verifier: TrustedVerifier; readonly fresher?: boolean },
    now: NumericDate,
  ): Promise<readonly PublicJwk[]>
}

const MAX_AGE_SECONDS = 300
const COOLDOWN_SECONDS = 30
const MOST_SETS = 256

interface KeptKeys {
  readonly keys: readonly PublicJwk[]
  readonly loadedAt: NumericDate
}

/** Makes an empty memory. */
export function createResourceKeys(deps: { readonly fetch: OutboundFetch }): ResourceKeys {
  const kept = new Map<string, KeptKeys>()
  return {
    async of({ jwksUri, verifier, fresher = false }, now) {
      const known = kept.get(jwksUri)
      const goodFor = fresher ? COOLDOWN_SECONDS : MAX_AGE_SECONDS
      if (known !== undefined && now - known.loadedAt < goodFor) return known.keys
      const document = await fetchJsonDocument(jwksUri, 'key set of the API', deps)
      const keys = keysIn(document).flatMap((entry) => trustedKey(entry, verifier, now))
      if (kept.size >= MOST_SETS) kept.clear()
      kept.set(jwksUri, { keys, loadedAt: now })
      return keys
    },
  }
}

function keysIn(document: JsonValue): readonly JsonValue[] {
  const keys = isJsonObject(document) ? member(document, 'keys') : undefined
  return keys !== undefined && isJsonArray(keys) ? keys.slice(0, 100) : []
}

function trustedKey(entry: JsonValue, verifier: TrustedVerifier, now: NumericDate): readonly PublicJwk[] {
  try {
    const key = parsePublicJwk(entry)
    const { anchors, keys } = verifier
    if (keys !== undefined) return isOneOf(key, keys) ? [key] : []
    if (anchors === undefined) return [key]
    return isCertified(entry, key, { anchors, clientId: verifier.clientId, now }) ? [key] : []
  } catch (error) {
    // Kinds of keys that are not for us, and chains that end elsewhere.
    if (error instanceof VerificationError) return []
    throw error
  }
}

function isOneOf(key: PublicJwk, keys: readonly PublicJwk[]): boolean {
  return keys.some((one) => jwkThumbprint(one) === jwkThumbprint(key))
}

function isCertified(
  entry: JsonValue,
  key: PublicJwk,
  expected: { readonly anchors: TrustAnchors; readonly clientId: string; readonly now: NumericDate },
): boolean {
  const x5c = isJsonObject(entry) ? member(entry, 'x5c') : undefined
  if (x5c === undefined || !isJsonArray(x5c)) return false
  const chain = x5c.filter((text) => typeof text === 'string')
  const [leaf] = chain
  if (leaf === undefined || chain.length !== x5c.length) return false
  const { leafKey, dnsNames } = verifyCertificateChain(chain, expected)
  if (!isOneOf(key, [leafKey])) return false
  const { prefix, original } = parseClientIdentifier(expected.clientId)
  if (prefix === 'x509_san_dns') return dnsNames.includes(original)
  return prefix !== 'x509_hash' || x509HashClientIdentifier(leaf) === expected.clientId
}
