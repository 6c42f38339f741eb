/**
 * What a wallet is told: its agents, whose credentials it takes, and whom it answers.
 *
 * Owns the shapes and the checks made once, while the wallet is built. Nobody is trusted by default, and no
 * call of an agent can add to these lists.
 *
 * Source: OpenID4VCI 1.0, sections 13.5 and 15.6; OpenID4VP 1.0, sections 5.9.3 and 14.4.1.
 *
 * @module
 */
import { configurationError, parseHttpsUrl } from '@attache/core'
import type { JwsAlgorithm, PublicJwk, TrustAnchors } from '@attache/keys'
import { type ClientIdentifierPrefix, type ClientMetadata, parseClientIdentifier } from '@attache/openid4vp'
import type { TransactionDataType } from './agree-transaction-data.js'
import { AGENT_ID } from './vault.js'

/** One agent the wallet works for. */
export interface WalletAgent {
  /** Name in policies, logs and sockets: letters, digits, dot, dash, underscore. */
  readonly id: string
  /** OAuth client identifier: `sub` of the wallet attestation, shared by all instances of this wallet. */
  readonly clientId: string
}

/** An issuer whose credentials are taken. */
export interface TrustedIssuer {
  /** Credential Issuer Identifier, compared character by character. */
  readonly credentialIssuer: string
  /** Authorization servers this issuer may name. @default the Credential Issuer itself */
  readonly authorizationServers?: readonly string[]
  /** Credential types that are taken from this issuer. An empty list takes none. */
  readonly vcts: readonly string[]
  /** Anchors of the certificate chains in its credentials. */
  readonly anchors: TrustAnchors
  /** Anchors of the signers of its status lists. @default `anchors` */
  readonly statusAnchors?: TrustAnchors
  /** Anchors of signed metadata; given, unsigned metadata is refused. */
  readonly metadataAnchors?: TrustAnchors
  /** Claims that must be in a credential before it is kept. @default none */
  readonly requiredClaims?: readonly string[]
  /** How many copies to ask for, at most; the issuer's `batch_size` may be lower. @default 10 */
  readonly copies?: number
  /** `once`: a copy is shown to one verifier once, and renewed in time. @default 'reuse' */
  readonly use?: 'once' | 'reuse'
  /** Encrypt messages: never, whenever the issuer offers it, or refuse an issuer that does not. @default 'if-offered' */
  readonly encryption?: 'never' | 'if-offered' | 'always'
  /** Whether a credential whose `iss` differs from the issuer is taken. @default 'warn' */
  readonly claimedIssuer?: 'warn' | 'refuse'
  /** Which grant to take when an offer has both. @default 'pre-authorized_code' */
  readonly preferredGrant?: 'pre-authorized_code' | 'authorization_code'
  /** For issuers that drop the final slash of their identifier in the metadata URL. @default false */
  readonly metadataWithoutTrailingSlash?: boolean
  /**
   * Who opens the link of the authorization code flow: a person, or the wallet itself. It follows redirects of the
   * authorization server's own origin and stops where a person is needed. @default 'person'
   */
  readonly authorization?: 'person' | 'follow'
}

/** Somebody who attests verifiers. */
export interface VerifierAttester {
  /** `iss` of its attestations, compared character by character. */
  readonly issuer: string
  readonly keys: readonly PublicJwk[]
}

/** A verifier that may be answered. */
export interface TrustedVerifier {
  /** Full Client Identifier, prefix included: the name in policies, and what a request must carry. */
  readonly clientId: string
  /** Anchors of the certificate chain of its requests; a client with an `x509_…` prefix has them, no other does. */
  readonly anchors?: TrustAnchors | undefined
  /** Keys that sign the requests of a client without a prefix: it is registered here. */
  readonly keys?: readonly PublicJwk[]
  /** Client metadata registered here; a request of this client then brings none. @default the request's own */
  readonly metadata?: ClientMetadata
  /** Whose word counts for a client with the prefix `verifier_attestation`. @default nobody's */
  readonly attesters?: readonly VerifierAttester[]
  /** Origins of the APIs it guards, such as `https://api.example`. A challenge of another origin is nobody's. */
  readonly apis: readonly string[]
  /** Issuer identifier of its authorization server. @default the origin of the called API */
  readonly authorizationServer?: string
  /** Hosts (`host` or `host:port`) its request_uri and response_uri may have. @default hosts of `apis` */
  readonly hosts?: readonly string[]
  /** Exact response URIs; given, no other one is answered. */
  readonly responseUris?: readonly string[]
  /** For verifiers that put their own request_uri into `aud`, against OpenID4VP 1.0, section 5.8. @default 'static' */
  readonly requestAudience?: 'static' | 'request-uri'
  /** Form of `aud` on the challenge route. @default 'endpoint' */
  readonly challengeAudience?: 'endpoint' | 'origin'
  /**
   * Whether answers of its APIs must be signed. Metadata travels the same way as answers do: with `required` nobody
   * on that way can take the announcement out of it. @default 'as-announced'
   */
  readonly signedAnswers?: 'as-announced' | 'required'
}

/** Options of a wallet. */
export interface WalletOptions {
  /** @default 'default' */
  readonly tenant?: string
  /** `haip` adds the rules of the High Assurance Interoperability Profile. */
  readonly profile: 'base' | 'haip'
  readonly agents: readonly WalletAgent[]
  readonly issuers: readonly TrustedIssuer[]
  readonly verifiers: readonly TrustedVerifier[]
  /** Accepted algorithms of credentials, requests and metadata. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** Fixed https redirect URI of the authorization code flow; absent, that flow is not used. */
  readonly redirectUri?: string
  /**
   * Which defects of a request are told to its verifier: with `local`, none but a refusal.
   *
   * @default 'local'
   */
  readonly errorDelivery?: 'local' | 'protocol'
  /**
   * Requests nobody signed, of verifiers that are named by the address answers go to (`redirect_uri:`). `typed`
   * reads parameters and objects of the right `typ`; `any` also objects without one, which OpenID4VP 1.0, section 5,
   * forbids: for tests of peers alone. Never under the profile `haip`.
   *
   * @default 'refuse'
   */
  readonly unsignedRequests?: 'refuse' | 'typed' | 'any'
  /** Types of transaction data that a mandate may agree to. @default none: such requests are refused whole */
  readonly transactionDataTypes?: readonly TransactionDataType[]
  /** How long a refusal of one verifier counts against it, and how many are let through per window. @default 20 in 60 s */
  readonly refusals?: { readonly most: number; readonly windowSeconds: number }
}

/**
 * Checks what was configured.
 *
 * @throws {TypeError} `wallet_options_invalid`: the message names the entry.
 */
export function checkWalletOptions(options: WalletOptions): WalletOptions {
  for (const { id, clientId } of options.agents) {
    if (!AGENT_ID.test(id)) throw invalid(`the agent id ${printable(id)} is not letters, digits, dot or dash`)
    if (clientId === '') throw invalid(`the agent ${id} has no client id`)
  }
  refuseRepeated(
    'agent',
    options.agents.map(({ id }) => id),
  )
  refuseRepeated(
    'issuer',
    options.issuers.map(({ credentialIssuer }) => credentialIssuer),
  )
  refuseRepeated(
    'verifier',
    options.verifiers.map(({ clientId }) => clientId),
  )
  refuseRepeated(
    'api',
    options.verifiers.flatMap(({ apis }) => apis),
  )
  for (const { credentialIssuer, copies } of options.issuers) {
    if (parseHttpsUrl(credentialIssuer) === undefined)
      throw invalid(`the issuer ${printable(credentialIssuer)} is no https URL`)
    if (copies !== undefined && !(Number.isInteger(copies) && copies >= 1 && copies <= 100)) {
      throw invalid(`copies of ${credentialIssuer} is not 1 to 100`)
    }
  }
  for (const verifier of options.verifiers) checkVerifier(verifier, options)
  for (const api of options.verifiers.flatMap(({ apis }) => apis)) {
    if (parseHttpsUrl(api)?.origin !== api) throw invalid(`the api ${printable(api)} is no https origin`)
  }
  const { redirectUri } = options
  if (redirectUri !== undefined && parseHttpsUrl(redirectUri) === undefined)
    throw invalid('the redirect URI is no https URL')
  return options
}

/** Every client has what its prefix is recognised by. */
function checkVerifier(verifier: TrustedVerifier, options: WalletOptions): void {
  const name = printable(verifier.clientId)
  switch (prefixOf(verifier.clientId)) {
    case undefined:
      throw invalid(`the verifier ${name} has a prefix that is not supported`)
    case 'x509_hash':
    case 'x509_san_dns':
      if (verifier.anchors === undefined) throw invalid(`the verifier ${name} has no anchors`)
      return
    case 'pre-registered':
      if (verifier.keys === undefined || verifier.keys.length === 0)
        throw invalid(`the verifier ${name} has no prefix and no keys`)
      return
    case 'verifier_attestation':
      if (verifier.attesters === undefined || verifier.attesters.length === 0)
        throw invalid(`the verifier ${name} has no attesters`)
      return
    case 'redirect_uri':
      if ((options.unsignedRequests ?? 'refuse') === 'refuse' || options.profile === 'haip')
        throw invalid(`the verifier ${name} signs nothing, and unsigned requests are refused`)
      return
    case 'decentralized_identifier':
  }
}

function prefixOf(clientId: string): ClientIdentifierPrefix | undefined {
  try {
    return parseClientIdentifier(clientId, () => true).prefix
  } catch {
    return undefined
  }
}

function refuseRepeated(what: string, names: readonly string[]): void {
  const repeated = names.find((name, at) => names.indexOf(name) !== at)
  if (repeated !== undefined) throw invalid(`the ${what} ${printable(repeated)} stands there twice`)
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?').slice(0, 200)
}

function invalid(what: string): TypeError & { readonly code: string } {
  return configurationError('wallet_options_invalid', `The wallet options are wrong: ${what}.`)
}
