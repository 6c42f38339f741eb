/**
 * The keys of an issuer on the web: JWT VC Issuer Metadata with the active, the next and the retired ones.
 *
 * Owns which key is published when, and that a retired key stays until nothing it signed is alive. Access
 * tokens are random texts without a signature; seals rotate by their own list of keys.
 *
 * Source: SD-JWT VC -19, section 4; requirements/issuer.md, D-14.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  endpoint,
  type JsonObject,
  json,
  type Log,
  type NumericDate,
  parseHttpsUrl,
  type Random,
  type Route,
  wellKnownUrl,
  withoutTrailingSlash,
} from '@attache/core'
import { bareJwk, certificateNames, jwkThumbprint, type PublicJwk, type Signer } from '@attache/keys'
import { pathOf } from './endpoint-urls.js'

/** A key that signs no more. */
export interface RetiredKey {
  readonly publicJwk: PublicJwk
  /** From then on it signed nothing. */
  readonly signedUntil: NumericDate
  /** From then on it is not published. */
  readonly publishedUntil: NumericDate
}

/** The keys before and after the one that signs. */
export interface KeySuccession {
  /** Published already, so that nobody's cache lacks them when they become active. */
  readonly next: readonly PublicJwk[]
  readonly retired: readonly RetiredKey[]
}

/** What an issuer publishes besides its active key. */
export interface KeyPublication extends KeySuccession {
  /** Keys of Status List Tokens, where they are others than those of credentials. */
  readonly statusLists?: (KeySuccession & { readonly active: PublicJwk }) | undefined
  /** Longest life of a Status List Token in seconds. */
  readonly statusTokenSeconds: number
}

/** What serving the keys needs. */
export interface IssuerKeysDeps {
  readonly signer: Pick<Signer, 'publicJwk'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/**
 * Checks that the keys fit what they signed.
 *
 * @param credentialSeconds Longest life of a credential.
 * @throws {TypeError} `issuer_keys`: a key twice, or a retired key that goes before what it signed.
 */
export function checkKeyPublication(
  publication: KeyPublication,
  facts: { readonly active: PublicJwk; readonly credentialSeconds: number },
): void {
  const { statusLists, statusTokenSeconds } = publication
  const groups = [
    { active: facts.active, ...publication, seconds: Math.max(facts.credentialSeconds, statusTokenSeconds) },
    ...(statusLists ? [{ ...statusLists, seconds: statusTokenSeconds }] : []),
  ]
  for (const { active, next, retired, seconds } of groups) {
    const kids = [active, ...next, ...retired.map((key) => key.publicJwk)].map(jwkThumbprint)
    if (new Set(kids).size < kids.length) {
      throw configurationError('issuer_keys', 'A key is active, next or retired: name it in one place.')
    }
    if (retired.some((key) => key.publishedUntil - key.signedUntil < seconds)) {
      throw configurationError(
        'issuer_keys',
        `A retired key must stay published for ${Math.ceil(seconds / 86_400)} days after it stopped signing.`,
      )
    }
  }
}

/** The route of the document. */
export function issuerKeysEndpoint(
  options: { readonly credentialIssuer: string; readonly publication: KeyPublication },
  deps: IssuerKeysDeps,
): Route {
  const issuer = options.credentialIssuer
  const path = pathOf(wellKnownUrl(withoutTrailingSlash(issuer), 'jwt-vc-issuer'))
  const handle = endpoint(
    async () => {
      const keys = publishedKeys(options.publication, deps.signer.publicJwk, deps.clock())
      return json(200, { issuer, jwks: { keys } }, { 'Cache-Control': 'public, max-age=300' })
    },
    { ...deps, statuses: {}, event: 'issuer.keys' },
  )
  return { method: 'GET', path, handle }
}

function publishedKeys(
  { statusLists, ...publication }: KeyPublication,
  active: PublicJwk,
  now: NumericDate,
): readonly JsonObject[] {
  const groups = [{ active, ...publication }, ...(statusLists ? [statusLists] : [])]
  const keys = groups.flatMap((group) => [
    group.active,
    ...group.next,
    ...group.retired.filter((key) => key.publishedUntil > now).map((key) => key.publicJwk),
  ])
  // One key may serve both; a set names each `kid` once.
  return [...new Map(keys.map((key) => [jwkThumbprint(key), key]))].map(([kid, key]) => ({
    ...bareJwk(key),
    kid,
    use: 'sig',
  }))
}

/**
 * The `iss` of credentials: only where a verifier can find out that it is true. Next to a chain that is a name
 * in the leaf, or the published keys; else the subject of the certificate alone says who the issuer is.
 */
export function provableIssuer(
  credentialIssuer: string,
  facts: { readonly signer: Pick<Signer, 'x5c'>; readonly published: boolean },
): string | undefined {
  const { x5c } = facts.signer
  if (x5c === undefined || facts.published) return credentialIssuer
  const { uris, dnsNames } = certificateNames(x5c)
  const host = parseHttpsUrl(credentialIssuer)?.hostname
  const named = uris.includes(credentialIssuer) || dnsNames.some((name) => name.toLowerCase() === host)
  return named ? credentialIssuer : undefined
}
