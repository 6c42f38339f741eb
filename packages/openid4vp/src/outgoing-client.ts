/**
 * The rules for who asks: an outgoing request and the Client Identifier Prefix it is sent under.
 *
 * Source: OpenID4VP 1.0, sections 5.9.2 and 5.9.3; HAIP 1.0, section 5.
 *
 * @module
 */
import {
  type ConfigurationError,
  configurationError,
  type JsonObject,
  member,
  type NumericDate,
  parseHttpsUrl,
} from '@attache/core'
import { certificateNames, type PublicJwk, requireOwnChain, type Signer } from '@attache/keys'
import { attestationProblem } from './verifier-attestation.js'

/** What is looked at in a signer. */
export type RequestSigner = Pick<Signer, 'alg' | 'x5c' | 'publicJwk'> & {
  /**
   * What {@link readOwnCertificate} read of the chain when the signer was built, so that it is not read again with
   * every request. @default read now
   */
  readonly certificate?: OwnCertificate | undefined
  /** Name of the key, where the prefix finds keys by name. */
  readonly keyId?: string | undefined
  /** What an attester says of this verifier, and when it is looked at. */
  readonly attestation?: { readonly jwt: string; readonly now: NumericDate } | undefined
}

/** Names of a certificate that may sign requests. */
export interface OwnCertificate {
  readonly dnsNames: readonly string[]
  /** Base64url of the SHA-256 of its DER. */
  readonly sha256: string
}

/**
 * Reads our own chain once.
 *
 * @throws {TypeError} A code of `requireOwnChain`: `x5c_malformed`, `x5c_anchor`, `self_signed`, `x5c_key_mismatch`.
 *
 * Source: OpenID4VP 1.0, section 5.9.3; HAIP 1.0, section 5.
 */
export function readOwnCertificate(x5c: readonly string[], publicJwk: PublicJwk): OwnCertificate {
  requireOwnChain(x5c, publicJwk)
  const { dnsNames, sha256 } = certificateNames(x5c)
  return { dnsNames, sha256 }
}

interface OutgoingClient {
  readonly parameters: JsonObject
  readonly delivery: 'reference' | 'value' | 'parameters'
  readonly signer?: RequestSigner | undefined
  readonly profile?: 'base' | 'haip'
  readonly trustedByWallet?: boolean
  readonly registeredMetadata?: boolean
}

const ASYMMETRIC: readonly string[] = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
]
const SUPPORTED = [
  'redirect_uri',
  'x509_san_dns',
  'x509_hash',
  'decentralized_identifier',
  'verifier_attestation',
  'openid_federation',
]

/**
 * Refuses a request whose client does not fit its prefix.
 *
 * @returns Advice: what the request carries and nobody will read.
 * @throws {TypeError} `client_id`, `prefix_refused`, `prefix_unsigned_only`, `prefix_signed_only`,
 * `redirect_uri_mismatch`, `san_mismatch`, `x509_hash_mismatch`, `response_uri_unlinked`, `did_key`, `alg`,
 * `attestation`, `entity_identifier`, `haip_prefix`, `metadata_registered`, or a code of `requireOwnChain` (`x5c_anchor`, `self_signed`).
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 12; HAIP 1.0, section 5.
 */
export function checkOutgoingClient(outgoing: OutgoingClient): readonly string[] {
  const { parameters, signer } = outgoing
  const clientId = member(parameters, 'client_id')
  // On the challenge route an unsigned request names no client: the endpoint is who asks.
  if (clientId === undefined && signer === undefined && isChallenge(parameters)) return []
  if (typeof clientId !== 'string' || clientId === '')
    throw refused('client_id', 'A request names its client.')
  if (signer !== undefined && !ASYMMETRIC.includes(signer.alg)) {
    throw refused('alg', 'Requests are signed with an asymmetric algorithm.')
  }
  const colon = clientId.indexOf(':')
  const prefix = clientId.slice(0, Math.max(colon, 0))
  if (outgoing.profile === 'haip' && signer !== undefined && prefix !== 'x509_hash') {
    throw refused('haip_prefix', 'The profile signs requests as x509_hash.')
  }
  checkPrefix(prefix, clientId.slice(colon + 1), outgoing)
  if (outgoing.registeredMetadata === true && member(parameters, 'client_metadata') !== undefined) {
    throw refused('metadata_registered', 'A client with registered metadata sends no client_metadata.')
  }
  const ignored = prefix === 'openid_federation' && member(parameters, 'client_metadata') !== undefined
  return ignored
    ? ['Wallets read the metadata of a federation from its trust chain: leave client_metadata out.']
    : []
}

function isChallenge(parameters: JsonObject): boolean {
  return String(member(parameters, 'response_mode')).startsWith('ia_post')
}

function checkPrefix(prefix: string, original: string, outgoing: OutgoingClient): void {
  const { parameters, signer } = outgoing
  switch (prefix) {
    case '':
      return
    case 'redirect_uri': {
      if (signer !== undefined) throw refused('prefix_unsigned_only', 'The prefix redirect_uri cannot sign.')
      const target = member(parameters, 'response_uri') ?? member(parameters, 'redirect_uri')
      if (target !== original) throw refused('redirect_uri_mismatch', 'The client_id names another address.')
      return
    }
    case 'x509_san_dns':
    case 'x509_hash':
      checkCertificate(prefix, original, outgoing)
      return
    case 'decentralized_identifier':
      if (signer?.keyId?.startsWith(`${original}#`) !== true) {
        throw refused('did_key', 'The signing key needs a kid of the DID that asks.')
      }
      return
    case 'verifier_attestation':
      checkAttestation(original, signer)
      return
    case 'openid_federation':
      checkEntity(original, signer)
      return
    default:
      throw refused(
        'prefix_refused',
        `The client_id has a prefix that is not used here: ${SUPPORTED.join(', ')}.`,
      )
  }
}

// Who attests is for wallets to trust; that it fits this verifier, its key and the time shows here.
function checkAttestation(subject: string, signer: RequestSigner | undefined): void {
  if (signer?.attestation === undefined) {
    throw refused('attestation', 'This prefix signs with a key that an attestation names. Give one.')
  }
  const { jwt, now } = signer.attestation
  const problem = attestationProblem(jwt, { subject, key: signer.publicJwk, now })
  if (problem !== undefined) throw refused('attestation', `The verifier attestation ${problem}.`)
}

function checkEntity(original: string, signer: RequestSigner | undefined): void {
  const url = parseHttpsUrl(original)
  if (url === undefined || url.search !== '' || original.includes('#')) {
    throw refused('entity_identifier', 'An Entity Identifier is an https URL without query and fragment.')
  }
  if (signer?.keyId === undefined) {
    throw refused('entity_identifier', 'The signing key needs the kid it has in the entity configuration.')
  }
}

function checkCertificate(prefix: string, original: string, outgoing: OutgoingClient): void {
  const { signer, parameters } = outgoing
  if (signer?.x5c === undefined) throw refused('prefix_signed_only', 'This prefix signs with a certificate.')
  const { dnsNames, sha256 } = signer.certificate ?? readOwnCertificate(signer.x5c, signer.publicJwk)
  if (prefix === 'x509_hash') {
    if (sha256 !== original)
      throw refused('x509_hash_mismatch', 'The client_id is the hash of another certificate.')
    return
  }
  if (!dnsNames.includes(original))
    throw refused('san_mismatch', 'The certificate does not name the client_id.')
  const target = member(parameters, 'response_uri') ?? member(parameters, 'redirect_uri')
  const host = typeof target === 'string' && URL.canParse(target) ? new URL(target).hostname : original
  if (host !== original && outgoing.trustedByWallet !== true) {
    throw refused(
      'response_uri_unlinked',
      'The address of the answer lies on another host than the client_id.',
    )
  }
}

function refused(code: string, message: string): ConfigurationError {
  return configurationError(code, message)
}
