/**
 * The rules for a request that leaves this side: everything a wallet would refuse is refused while building.
 *
 * Works on wire parameters, so that hand-made ones are judged like our own. Which profile holds is stated.
 *
 * Source: OpenID4VP 1.0, sections 5 and 8; HAIP 1.0, section 5; RFC 9101, sections 4 and 5.
 *
 * @module
 */
import {
  type ConfigurationError,
  configurationError,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseHttpsUrl,
} from '@attache/core'
import { checkOutgoingClient, type RequestSigner } from './outgoing-client.js'
import { checkOutgoingMetadata } from './outgoing-metadata.js'

/** A request that is about to leave. */
export interface OutgoingRequest {
  /** All parameters with their wire names; object parameters as JSON. */
  readonly parameters: JsonObject
  /** A signed object by reference or by value, or bare parameters in a URL. */
  readonly delivery: 'reference' | 'value' | 'parameters'
  /** Who signs; absent for unsigned requests. */
  readonly signer?: RequestSigner | undefined
  /** `haip` adds the rules of the High Assurance Interoperability Profile. @default base */
  readonly profile?: 'base' | 'haip'
  /** Parameters of our own beside the defined ones; their names must not collide with anybody's. */
  readonly extraParameters?: readonly string[]
  /** The wallet lists this client and does not ask its response_uri to lie on the certificate's host. */
  readonly trustedByWallet?: boolean
  /** The wallet has registered metadata of this client. */
  readonly registeredMetadata?: boolean
}

const DEFINED = [
  'client_id',
  'response_type',
  'response_mode',
  'response_uri',
  'redirect_uri',
  'nonce',
  'state',
  'dcql_query',
  'scope',
  'client_metadata',
  'transaction_data',
  'verifier_info',
  'expected_origins',
  'wallet_nonce',
]
const MODES: readonly JsonValue[] = ['direct_post', 'direct_post.jwt', 'fragment', 'ia_post', 'ia_post.jwt']
const URL_SAFE = /^[A-Za-z0-9\-._~]+$/

/**
 * Refuses a request that must not be sent.
 *
 * @returns Advice for whoever sends it, to be logged.
 * @throws {TypeError} The broken rule: `response_type`, `response_mode`, `haip_response_mode`, `charset`,
 * `state_required`, `query_xor_scope`, `redirect_uri_forbidden`, `redirect_uri_required`, `response_uri`,
 * `response_uri_forbidden`, `parameter_unknown`, `haip_by_reference`, or a code of the client and metadata rules.
 *
 * Source: OpenID4VP 1.0, sections 5.1 to 5.9 and 8.2; HAIP 1.0, sections 5 and 5.1.
 */
export function checkOutgoingRequest(outgoing: OutgoingRequest): readonly string[] {
  checkMembers(outgoing)
  checkMode(outgoing)
  checkTexts(outgoing.parameters)
  checkQuery(outgoing.parameters)
  checkAddresses(outgoing.parameters)
  const advice = checkOutgoingClient(outgoing)
  // A federation's metadata is where wallets know it from: its trust chain.
  const federated = String(member(outgoing.parameters, 'client_id')).startsWith('openid_federation:')
  checkOutgoingMetadata(outgoing.parameters, federated ? { ...outgoing, registeredMetadata: true } : outgoing)
  return advice
}

function checkMembers({ parameters, extraParameters = [] }: OutgoingRequest): void {
  const known = [...DEFINED, ...extraParameters]
  const unknown = Object.keys(parameters).find((name) => !known.includes(name))
  if (unknown !== undefined) throw refused('parameter_unknown', 'The request has a parameter nobody defined.')
}

function checkMode({ parameters, profile, delivery, signer }: OutgoingRequest): void {
  if (member(parameters, 'response_type') !== 'vp_token') {
    throw refused('response_type', 'The response_type is vp_token.')
  }
  const mode = member(parameters, 'response_mode')
  if (mode === undefined || !MODES.includes(mode)) throw refused('response_mode', 'State a response_mode.')
  if (profile !== 'haip') return
  if (mode === 'direct_post' || mode === 'fragment') {
    throw refused('haip_response_mode', 'The profile answers by direct_post.jwt.')
  }
  if (mode === 'direct_post.jwt' && (delivery !== 'reference' || signer === undefined)) {
    throw refused('haip_by_reference', 'The profile sends signed requests, by reference.')
  }
}

function checkTexts(parameters: JsonObject): void {
  const nonce = member(parameters, 'nonce')
  const state = member(parameters, 'state')
  if (typeof nonce !== 'string' || !URL_SAFE.test(nonce))
    throw refused('charset', 'The nonce is not URL-safe.')
  if (state !== undefined && (typeof state !== 'string' || !URL_SAFE.test(state))) {
    throw refused('charset', 'The state is not URL-safe.')
  }
}

function checkQuery(parameters: JsonObject): void {
  const query = member(parameters, 'dcql_query')
  if ((query === undefined) === (member(parameters, 'scope') === undefined)) {
    throw refused('query_xor_scope', 'A request has either a dcql_query or a scope.')
  }
  if (query === undefined || !isJsonObject(query)) return
  const credentials = member(query, 'credentials')
  const unbound = (credential: JsonValue): boolean =>
    isJsonObject(credential) && member(credential, 'require_cryptographic_holder_binding') === false
  const loose = isJsonArray(credentials) && credentials.some(unbound)
  const posted = String(member(parameters, 'response_mode')).startsWith('direct_post')
  if (posted && loose && member(parameters, 'state') === undefined) {
    throw refused('state_required', 'A query without holder binding needs a state.')
  }
}

function checkAddresses(parameters: JsonObject): void {
  const mode = String(member(parameters, 'response_mode'))
  const responseUri = member(parameters, 'response_uri')
  const redirectUri = member(parameters, 'redirect_uri')
  if (mode !== 'fragment' && redirectUri !== undefined) {
    throw refused('redirect_uri_forbidden', 'A redirect_uri belongs to the response mode fragment alone.')
  }
  if (!mode.startsWith('direct_post') && responseUri !== undefined) {
    throw refused('response_uri_forbidden', 'A response_uri belongs to the direct_post modes alone.')
  }
  if (mode === 'fragment' && redirectUri === undefined) {
    throw refused('redirect_uri_required', 'The response mode fragment needs a redirect_uri.')
  }
  if (mode.startsWith('direct_post') && parseHttpsUrl(responseUri) === undefined) {
    throw refused('response_uri', 'The direct_post modes need an absolute https response_uri.')
  }
}

function refused(code: string, message: string): ConfigurationError {
  return configurationError(code, message)
}

/**
 * Refuses a request_uri, or a way of fetching it, that must not be handed out.
 *
 * @throws {TypeError} `request_uri`: no https URL, with fragment, or longer than 512 characters.
 * `request_uri_method`: neither `get` nor `post`.
 *
 * Source: OpenID4VP 1.0, section 5.1; RFC 9101, section 5.2.
 */
export function checkRequestReference(requestUri: string, method: string): void {
  if (parseHttpsUrl(requestUri) === undefined || requestUri.includes('#') || requestUri.length > 512) {
    throw refused('request_uri', 'A request_uri is an https URL of at most 512 characters without fragment.')
  }
  if (method !== 'get' && method !== 'post') {
    throw refused('request_uri_method', 'A request_uri_method is get or post, in lower case.')
  }
}
