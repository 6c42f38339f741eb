/**
 * The options of a verifier, read once: identifiers, endpoints, lifetimes, what is announced.
 *
 * What decides security has no default. A wrong option stops the start, not the first request.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 11; HAIP 1.0, section 5; RFC 8414; RFC 9728.
 *
 * @module
 */
import { configurationError, type JsonObject, parseHttpsUrl } from '@attache/core'
import { type JwsAlgorithm, parseAlgorithms, type Signer } from '@attache/keys'
import type { TrustedAttester } from '@attache/oauth'
import type { TrustedIssuer } from './issuer-trust.js'
import type { PresentationPage } from './presentation-page.js'
import {
  type RequestIdentity,
  type RequestIdentityOptions,
  readIdentity,
  refuseFederatedEncryption,
} from './request-identity.js'
import type { TrustedCertificateField } from './shown-certificate.js'
import { refuseUnsafeAnchors } from './unsafe-anchors.js'

/** What a verifier is told. */
export interface VerifierOptions extends RequestIdentityOptions {
  /** Public origin of the API, never taken from a Host header; also its resource and issuer identifier. */
  readonly origin: string
  /** Whose credentials count, per `vct`. Nobody is trusted by default. */
  readonly trustedIssuers: readonly TrustedIssuer[]
  /** Whole number that grows with every change of the trust, for `reloadTrust`. @default the trust has none */
  readonly trustVersion?: number
  /**
   * Stated, never guessed from what a wallet happened to send. `not-required` lets a query itself say
   * `require_cryptographic_holder_binding: false`; with `required` such a query stops the start.
   */
  readonly keyBinding: 'required' | 'not-required'
  /** Who vouches for clients of the challenge route; without it that route is not offered. */
  readonly walletAttesters?: readonly TrustedAttester[]
  /** Scopes that stand for a fixed DCQL query in plain requests; wallets must know them too. @default none */
  readonly presentationScopes?: Readonly<Record<string, JsonObject>>
  /** Pages on which people present, by name: `<path>/present/<name>`. @default none */
  readonly pages?: Readonly<Record<string, PresentationPage>>
  /** `haip` adds the rules of the High Assurance Interoperability Profile 1.0. @default base */
  readonly profile?: 'base' | 'haip'
  /** Attested clients that may use the challenge route. @default any */
  readonly allowedClients?: readonly string[]
  /** Whether DPoP proofs need a nonce of this server. @default false */
  readonly requireDpopNonce?: boolean
  /**
   * Whether this is the only challenge endpoint of its origin; only then is key binding to the origin alone
   * as good as key binding to the endpoint. @default true
   */
  readonly onlyChallengeEndpointOfOrigin?: boolean
  /** Where the endpoints lie below the origin. @default `/attache` */
  readonly path?: string
  /** Accepted signature algorithms, of issuers, holders and clients. @default ES256 */
  readonly algorithms?: readonly string[]
  /** How long an access token lasts, in seconds; at most 300. @default 300 */
  readonly tokenLifetimeSeconds?: number
  /** How long a challenge may wait for its presentation, in seconds. @default 120 */
  readonly challengeLifetimeSeconds?: number
  /** How long a transaction may wait for its answer, in seconds. @default 300 */
  readonly transactionLifetimeSeconds?: number
  /** How long `explain` knows why a presentation was accepted or refused, in seconds; 0: not at all. @default 3600 */
  readonly explanationSeconds?: number
  /**
   * What happens to a request when its audit entry cannot be written: it fails, or goes on with a line in the log. To
   * be said where deps have an `audit`.
   */
  readonly auditFailure?: 'deny' | 'log'
  /** Greatest age of a KB-JWT, in seconds. @default 300 */
  readonly keyBindingMaxAgeSeconds?: number
  /** Whether a credential that names no status is refused. @default false */
  readonly requireStatus?: boolean
  /** How long a status list serves beyond its time when it cannot be refreshed, in seconds. @default 0 */
  readonly staleStatusSeconds?: number
  /** Whether queries may count array elements, which decoys make undecidable. @default false */
  readonly allowIndexPaths?: boolean
  /**
   * Field in which a proxy names the client certificate (RFC 9440). The host hands it in from that proxy alone
   * (`trustedProxies` in Express, `proxyCertificate` of a node listener) and takes the field
   * away from everything others send. A token asked for with a certificate is then bound to it, beside the DPoP
   * key. @default certificates are not looked at
   */
  readonly clientCertificate?: TrustedCertificateField
  /**
   * What a token is bound to: always a DPoP key; or, for clients that show a certificate and send no proof, the
   * certificate alone, as a Bearer token of RFC 8705. @default dpop
   */
  readonly senderConstraint?: 'dpop' | 'dpop-or-certificate'
  /**
   * Name of the authentication scheme in a 401 that hands over a `request_uri`. No standard names one; Attaché's own
   * agents know the default alone. @default `OpenID4VP`
   */
  readonly challengeScheme?: string
  /** For unit tests alone: whether test keys count, as `@attache/testing` makes them. @default false */
  readonly allowUnsafeAnchors?: boolean
}

/** A verifier's options, read. */
export interface Settings {
  readonly origin: string
  readonly clientId: string
  readonly identity: RequestIdentity
  readonly algorithms: readonly JwsAlgorithm[]
  readonly keyBinding: 'required' | 'not-required'
  readonly walletAttesters: readonly TrustedAttester[]
  readonly presentationScopes: Readonly<Record<string, JsonObject>>
  readonly pages: Readonly<Record<string, PresentationPage>>
  readonly profile: 'base' | 'haip'
  readonly allowedClients: 'any' | readonly string[]
  readonly onlyChallengeEndpointOfOrigin: boolean
  readonly allowIndexPaths: boolean
  readonly clientCertificate: TrustedCertificateField | undefined
  readonly senderConstraint: 'dpop' | 'dpop-or-certificate'
  readonly challengeScheme: string
  readonly endpoints: Endpoints
  readonly lifetimes: Lifetimes
}

/** Paths below the origin. */
export interface Endpoints {
  readonly challenge: string
  readonly token: string
  readonly jwks: string
  readonly request: string
  readonly response: string
  readonly result: string
  readonly done: string
  readonly redeem: string
  /** Where people present; below it a page's name. */
  readonly present: string
  /** Where a browser brings a fragment. */
  readonly fragment: string
}

/** All in seconds. */
export interface Lifetimes {
  readonly token: number
  readonly challenge: number
  readonly transaction: number
  readonly requestObject: number
  readonly code: number
  /** Of explanations; 0 keeps none. */
  readonly explanation: number
}

const REQUEST_OBJECT_SECONDS = 300
const CODE_SECONDS = 60

/**
 * Reads the options.
 *
 * @throws {TypeError} `origin`, `path`, `key_binding`, `lifetime`, `algorithm_refused`, a code of `readIdentity`,
 * `challenge_scheme`, `unsafe_anchor`.
 */
export function readSettings(options: VerifierOptions, signer: Signer): Settings {
  refuseUnsafeAnchors(options, signer)
  const identity = readIdentity(options, signer)
  if ((options.walletAttesters ?? []).length > 0) refuseFederatedEncryption(identity.clientId)
  const { path = '/attache', keyBinding } = options
  if (keyBinding !== 'required' && keyBinding !== 'not-required') {
    throw configurationError('key_binding', 'Say whether keyBinding is required or not-required.')
  }
  if (!/^(\/[A-Za-z0-9._~-]+)+$/.test(path)) {
    throw configurationError(
      'path',
      'The path of the endpoints starts with a slash and does not end with one.',
    )
  }
  return {
    origin: readOrigin(options.origin),
    clientId: identity.clientId,
    identity,
    algorithms: parseAlgorithms(options.algorithms ?? ['ES256']),
    keyBinding,
    walletAttesters: options.walletAttesters ?? [],
    presentationScopes: options.presentationScopes ?? {},
    pages: options.pages ?? {},
    profile: options.profile ?? 'base',
    allowedClients: options.allowedClients ?? 'any',
    onlyChallengeEndpointOfOrigin: options.onlyChallengeEndpointOfOrigin ?? true,
    allowIndexPaths: options.allowIndexPaths ?? false,
    clientCertificate: options.clientCertificate,
    senderConstraint: readSenderConstraint(options),
    challengeScheme: readScheme(options.challengeScheme ?? 'OpenID4VP'),
    endpoints: {
      challenge: `${path}/challenge`,
      token: `${path}/token`,
      jwks: `${path}/jwks`,
      request: `${path}/request`,
      response: `${path}/response`,
      result: `${path}/result`,
      done: `${path}/done`,
      redeem: `${path}/redeem`,
      present: `${path}/present`,
      fragment: `${path}/fragment`,
    },
    lifetimes: {
      token: seconds(options.tokenLifetimeSeconds ?? 300, 'tokenLifetimeSeconds', 300),
      challenge: seconds(options.challengeLifetimeSeconds ?? 120, 'challengeLifetimeSeconds', 600),
      transaction: seconds(options.transactionLifetimeSeconds ?? 300, 'transactionLifetimeSeconds', 3600),
      requestObject: REQUEST_OBJECT_SECONDS,
      code: CODE_SECONDS,
      explanation: readExplanationSeconds(options.explanationSeconds ?? 3600),
    },
  }
}

function readOrigin(text: string): string {
  const url = parseHttpsUrl(text)
  if (url !== undefined && url.origin === text) return text
  throw configurationError('origin', 'The origin is https, host and port, without path or final slash.')
}

function readSenderConstraint(options: VerifierOptions): Settings['senderConstraint'] {
  const { senderConstraint = 'dpop', clientCertificate } = options
  if (senderConstraint === 'dpop' || clientCertificate !== undefined) return senderConstraint
  throw configurationError(
    'sender_constraint',
    'Tokens can be bound to a certificate alone where clientCertificate says who names it.',
  )
}

function readScheme(text: string): string {
  if (/^[A-Za-z][A-Za-z0-9-]*$/.test(text)) return text
  throw configurationError(
    'challenge_scheme',
    'The challengeScheme is one word of letters, digits and hyphens.',
  )
}

function readExplanationSeconds(value: number): number {
  return value === 0 ? 0 : seconds(value, 'explanationSeconds', 2_592_000)
}

function seconds(value: number, name: string, most: number): number {
  if (Number.isSafeInteger(value) && value > 0 && value <= most) return value
  throw configurationError('lifetime', `${name} is a whole number of seconds between 1 and ${most}.`)
}
