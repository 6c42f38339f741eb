/**
 * The authorization request: its parameters, typed, and both ways to and from the wire.
 *
 * Owns the rules that hold between parameters. How they travel (URL, request object, challenge) and who
 * vouches for them lives in the neighbouring files.
 *
 * Source: OpenID4VP 1.0, sections 5 and 8.2.
 *
 * @module
 */
import { isJsonArray, type JsonObject, type JsonValue, member, ProtocolError } from '@attache/core'
import { type ClientMetadata, encodeClientMetadata, parseClientMetadata } from './client-metadata.js'
import { type DcqlQuery, encodeDcqlQuery, parseDcqlQuery } from './dcql-query.js'
import { encodeVerifierInfo, parseVerifierInfo, type VerifierInfo } from './verifier-info.js'
import { wireObject } from './wire-object.js'

/** How the answer travels. */
export type ResponseMode = 'direct_post' | 'direct_post.jwt' | 'fragment' | 'ia_post' | 'ia_post.jwt'

const RESPONSE_MODES: readonly ResponseMode[] = [
  'direct_post',
  'direct_post.jwt',
  'fragment',
  'ia_post',
  'ia_post.jwt',
]

/** A request for a presentation; `response_type` is always `vp_token`. */
export interface AuthorizationRequest {
  /** Full Client Identifier; absent only in an unsigned `ia_post` request. */
  readonly clientId?: string | undefined
  readonly responseMode: ResponseMode
  /** Where `direct_post` answers go. */
  readonly responseUri?: string | undefined
  /** Where a `fragment` answer goes. */
  readonly redirectUri?: string | undefined
  /** To be repeated in every KB-JWT. */
  readonly nonce: string
  readonly state?: string | undefined
  /** Exactly one of `dcqlQuery` and `scope` is present. */
  readonly dcqlQuery?: DcqlQuery | undefined
  readonly scope?: string | undefined
  readonly clientMetadata?: ClientMetadata | undefined
  /** The entries as received; read them with `parseTransactionData`. */
  readonly transactionData?: readonly string[] | undefined
  readonly verifierInfo?: readonly VerifierInfo[] | undefined
  /** Origins a signed `ia_post` request was made for. */
  readonly expectedOrigins?: readonly string[] | undefined
  /** Echo of the wallet's own nonce from the request_uri POST. */
  readonly walletNonce?: string | undefined
}

const URL_SAFE = /^[A-Za-z0-9\-._~]+$/

/**
 * Reads the parameters of a request; unknown ones are ignored.
 *
 * @param parameters Object-valued parameters as JSON, not as text.
 * @throws {ProtocolError} `invalid_request`, `unsupported_response_type`, `invalid_transaction_data`.
 *
 * Source: OpenID4VP 1.0, sections 5.1 to 5.6 and 8.2.
 */
export function parseAuthorizationRequest(parameters: JsonObject): AuthorizationRequest {
  if (member(parameters, 'response_type') !== 'vp_token') {
    throw new ProtocolError(
      'unsupported_response_type',
      'The response_type is not vp_token. Ask for vp_token.',
    )
  }
  const mode = member(parameters, 'response_mode')
  const responseMode = RESPONSE_MODES.find((known) => known === mode)
  if (responseMode === undefined) throw requestError('response_mode is absent or not supported')

  const dcqlQuery = member(parameters, 'dcql_query')
  const clientMetadata = member(parameters, 'client_metadata')
  const verifierInfo = member(parameters, 'verifier_info')
  const query = dcqlQuery === undefined ? undefined : parseDcqlQuery(dcqlQuery)
  const request: AuthorizationRequest = {
    clientId: text(parameters, 'client_id'),
    responseMode,
    responseUri: text(parameters, 'response_uri'),
    redirectUri: text(parameters, 'redirect_uri'),
    nonce: parseNonce(parameters),
    state: text(parameters, 'state'),
    dcqlQuery: query,
    scope: text(parameters, 'scope'),
    clientMetadata: clientMetadata === undefined ? undefined : parseClientMetadata(clientMetadata),
    transactionData: parseEntries(parameters),
    verifierInfo: verifierInfo === undefined ? undefined : parseVerifierInfo(verifierInfo, query),
    expectedOrigins: texts(parameters, 'expected_origins'),
    walletNonce: text(parameters, 'wallet_nonce'),
  }
  checkTogether(request)
  return request
}

function parseNonce(parameters: JsonObject): string {
  const nonce = text(parameters, 'nonce')
  if (nonce === undefined || !URL_SAFE.test(nonce)) throw requestError('nonce is absent or not URL-safe')
  return nonce
}

function parseEntries(parameters: JsonObject): readonly string[] | undefined {
  const entries = member(parameters, 'transaction_data')
  if (entries === undefined) return undefined
  const found = isJsonArray(entries) ? entries.filter((entry) => typeof entry === 'string') : []
  if (!isJsonArray(entries) || found.length === 0 || found.length !== entries.length) {
    throw new ProtocolError(
      'invalid_transaction_data',
      'transaction_data is not a non-empty array of texts. Send base64url entries.',
    )
  }
  return found
}

function checkTogether(request: AuthorizationRequest): void {
  const direct = request.responseMode.startsWith('direct_post')
  if ((request.dcqlQuery === undefined) === (request.scope === undefined)) {
    throw requestError('exactly one of dcql_query and scope is needed')
  }
  if (direct && request.redirectUri !== undefined) {
    throw requestError('redirect_uri must not stand beside a direct_post response mode')
  }
  if (request.responseMode === 'fragment' && request.redirectUri === undefined) {
    throw requestError('redirect_uri is needed for the response mode fragment')
  }
  const unbound = request.dcqlQuery?.credentials.some((query) => !query.requireCryptographicHolderBinding)
  if (direct && unbound === true && request.state === undefined) {
    throw requestError('state is needed when a query goes without holder binding')
  }
}

function text(parameters: JsonObject, name: string): string | undefined {
  const value = member(parameters, name)
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw requestError(`${name} is not a text`)
  return value
}

function texts(parameters: JsonObject, name: string): readonly string[] | undefined {
  const value = member(parameters, name)
  if (value === undefined) return undefined
  const found = isJsonArray(value) ? value.filter((entry) => typeof entry === 'string') : []
  if (!isJsonArray(value) || found.length === 0 || found.length !== value.length) {
    throw requestError(`${name} is not a non-empty array of texts`)
  }
  return found
}

function requestError(what: string): ProtocolError {
  return new ProtocolError('invalid_request', `The request is not usable: ${what}. Correct the request.`)
}

/**
 * Writes a request with its wire names; nothing undefined, nothing obsolete.
 *
 * Source: OpenID4VP 1.0, section 5.
 */
export function encodeAuthorizationRequest(request: AuthorizationRequest): JsonObject {
  const encoded: Readonly<Record<string, JsonValue | undefined>> = {
    client_id: request.clientId,
    response_type: 'vp_token',
    response_mode: request.responseMode,
    response_uri: request.responseUri,
    redirect_uri: request.redirectUri,
    nonce: request.nonce,
    state: request.state,
    dcql_query: request.dcqlQuery === undefined ? undefined : encodeDcqlQuery(request.dcqlQuery),
    scope: request.scope,
    client_metadata:
      request.clientMetadata === undefined ? undefined : encodeClientMetadata(request.clientMetadata),
    transaction_data: request.transactionData,
    verifier_info: request.verifierInfo?.map(encodeVerifierInfo),
    expected_origins: request.expectedOrigins,
    wallet_nonce: request.walletNonce,
  }
  return wireObject(encoded)
}
