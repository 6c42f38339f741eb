/**
 * From what was handed in to a request and who sent it: fetched where it is a reference, verified where it is
 * signed, read by a switch where it is not.
 *
 * Owns the order: no address is called that is not linked to the client, and no parameter counts before the
 * client is sure, or known to be nobody in particular.
 *
 * Source: OpenID4VP 1.0, sections 5, 5.7 to 5.10 and 14; RFC 9101, sections 5 and 6.
 *
 * @module
 */
import {
  isInternalAddress,
  type NumericDate,
  type OutboundFetch,
  parseHttpsUrl,
  type Random,
  randomText,
  VerificationError,
} from '@attache/core'
import type { DecryptionKey } from '@attache/keys'
import {
  type AuthenticatedClient,
  type AuthorizationRequest,
  isUnsignedRequestObject,
  REQUEST_OBJECT_MEDIA_TYPE,
  type RequestHandover,
  readUnsignedParameters,
  readUnsignedRequestObject,
  requestUriFetch,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import type { TrustedVerifier, WalletOptions } from './options.js'
import { requestTrust, withRegisteredMetadata } from './request-trust.js'

/** What resolving needs. */
export interface ResolveDeps {
  readonly options: WalletOptions
  readonly fetch: OutboundFetch
  readonly random: Random
  /** Keys that verifiers may encrypt request objects to. @default none */
  readonly requestKeys?: readonly DecryptionKey[]
}

/** A request, and its client where one signed. */
export interface ResolvedRequest {
  readonly request: AuthorizationRequest
  /** Absent: nobody signed, and the identifier is the address that answers go to. */
  readonly client?: AuthenticatedClient
}

interface Asked {
  readonly verifier: TrustedVerifier
  readonly now: NumericDate
}

/**
 * Resolves a request of a configured verifier.
 *
 * @throws {VerificationError} Processing ends here; nothing is sent to the verifier.
 * @throws {ProtocolError} The request is authentic and unusable.
 */
export async function resolveRequest(
  handover: RequestHandover,
  facts: Asked,
  deps: ResolveDeps,
): Promise<ResolvedRequest> {
  const { profile } = deps.options
  if (handover.kind !== 'reference' && profile === 'haip') {
    throw stop('haip', 'The profile takes signed requests by request_uri alone.')
  }
  if (handover.kind === 'parameters') {
    requireSwitch(deps.options)
    return { request: readUnsignedParameters(handover.parameters) }
  }
  const walletNonce =
    handover.kind === 'reference' && handover.method === 'post' ? randomText(deps.random) : undefined
  const requestObject =
    handover.kind === 'object'
      ? handover.requestObject
      : await fetchRequestObject(handover, { ...facts, walletNonce }, deps)
  const expected = {
    clientId: handover.clientId,
    audiences: audiencesOf(handover, facts.verifier),
    now: facts.now,
    ...(walletNonce === undefined ? {} : { walletNonce }),
  }
  if (facts.verifier.clientId.startsWith('redirect_uri:') && isUnsignedRequestObject(requestObject)) {
    requireSwitch(deps.options)
    const untyped = deps.options.unsignedRequests === 'any'
    return { request: readUnsignedRequestObject(requestObject, { ...expected, untyped }) }
  }
  const { request, client } = await verifyRequestObject(requestObject, {
    ...expected,
    algorithms: deps.options.algorithms,
    trust: requestTrust(facts.verifier, deps),
    ...(deps.requestKeys === undefined ? {} : { decryptionKeys: deps.requestKeys }),
  })
  return { request: withRegisteredMetadata(request, facts.verifier), client }
}

function requireSwitch({ profile, unsignedRequests = 'refuse' }: WalletOptions): void {
  if (profile !== 'haip' && unsignedRequests !== 'refuse') return
  throw stop('invalid_request', 'Unsigned requests are not answered. Send a signed request object.')
}

function audiencesOf(handover: RequestHandover, verifier: TrustedVerifier): readonly string[] {
  if (verifier.requestAudience !== 'request-uri' || handover.kind !== 'reference') return [STATIC_AUDIENCE]
  return [STATIC_AUDIENCE, handover.requestUri]
}

async function fetchRequestObject(
  handover: Extract<RequestHandover, { kind: 'reference' }>,
  facts: Asked & { readonly walletNonce: string | undefined },
  deps: ResolveDeps,
): Promise<string> {
  const url = parseHttpsUrl(handover.requestUri)
  const linked = url !== undefined && hostsOf(facts.verifier).includes(url.host)
  if (url === undefined || (!linked && isInternal(url))) {
    throw stop('request_uri_blocked', 'The request_uri is no https URL, or an internal address.')
  }
  if (!linked) {
    throw stop(
      'request_uri_unlinked',
      'The request_uri lies on a host that is not configured for this client.',
    )
  }
  const { walletNonce } = facts
  const post =
    walletNonce === undefined
      ? undefined
      : { walletNonce, walletMetadata: walletMetadata(facts.verifier, deps) }
  const init = { ...requestUriFetch(post), maxBytes: 65_536, contentTypes: [REQUEST_OBJECT_MEDIA_TYPE] }
  const response = await deps.fetch(handover.requestUri, init)
  if (response.status !== 200)
    throw stop('request_uri_http', 'The request_uri did not answer with a request object.')
  return response.text()
}

/** Hosts that a verifier's request_uri and response_uri may have. */
export function hostsOf(verifier: TrustedVerifier): readonly string[] {
  return verifier.hosts ?? verifier.apis.map((api) => new URL(api).host)
}

/** Whether the host is an internal address, written out; names are judged when they are resolved. */
export function isInternal({ hostname }: URL): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  return (/^[\d.]+$/.test(address) || address.includes(':')) && isInternalAddress(address)
}

function walletMetadata(verifier: TrustedVerifier, { options, requestKeys = [] }: ResolveDeps) {
  const unsigned = verifier.clientId.startsWith('redirect_uri:')
  const attested = verifier.attesters === undefined ? [] : ['verifier_attestation']
  return {
    formats: ['dc+sd-jwt'],
    sdJwtAlgorithms: { issuer: options.algorithms, keyBinding: ['ES256'] },
    clientIdPrefixes: unsigned
      ? ['redirect_uri']
      : ['x509_hash', 'x509_san_dns', 'decentralized_identifier', ...attested],
    // A client that cannot sign is told nothing about signatures (section 5.10).
    ...(unsigned ? {} : { requestObjectAlgorithms: options.algorithms }),
    encryptionAlgorithms: ['ECDH-ES'],
    encryptionEncs: ['A256GCM', 'A128GCM'],
    requestEncryptionKeys: requestKeys.map(({ publicJwk }) => publicJwk),
  }
}

function stop(code: string, message: string): VerificationError {
  return new VerificationError(code, message)
}
