/**
 * Mutual TLS: a token is bound to the client's certificate, and a client can log in with it.
 *
 * Owns the thumbprint, where the certificate is read from, and client authentication by certificate. The host
 * says which source counts; a header field that a client sends itself never does.
 *
 * Source: RFC 8705, sections 2, 3 and 4; RFC 9440, sections 2 and 3.
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import { X509Certificate } from 'node:crypto'
import { encodeBase64url, equalText, isJsonObject, ProtocolError } from '@attache/core'
import {
  jwkThumbprint,
  type PublicJwk,
  parsePublicJwk,
  sha256,
  type TrustAnchors,
  verifyCertificateChain,
} from '@attache/keys'
import { parseItem } from './structured-fields.js'

/**
 * The value of `x5t#S256`.
 *
 * @param der DER of the client certificate.
 *
 * Source: RFC 8705, section 3.1.
 */
export function certificateThumbprint(der: Uint8Array): string {
  return encodeBase64url(sha256(der))
}

/**
 * Where a host reads the client certificate from. With `proxy`, the host states that the hop before it has
 * authenticated itself and takes the field away from everything clients send.
 */
export type ClientCertificateSource =
  | { readonly from: 'tls' }
  | {
      readonly from: 'proxy'
      readonly header: string
      /**
       * How the proxy writes it: the byte sequence of RFC 9440, or percent-encoded PEM, which is all that nginx
       * (`$ssl_client_escaped_cert`) and load balancers of some clouds can do. @default rfc9440
       */
      readonly format?: 'rfc9440' | 'url-encoded-pem'
    }

/**
 * The certificate a client has shown.
 *
 * @param connection.tlsCertificate DER of the peer certificate of this connection.
 * @param connection.headers Header fields of the request; looked at only when the source is a proxy.
 * @returns Nothing when the client has shown none.
 * @throws {ProtocolError} `invalid_request` when the proxy's field is malformed.
 *
 * Source: RFC 9440, sections 2.2 and 3; requirements/sender-constraint.md, MTLS-03.
 */
export function clientCertificate(
  connection: { readonly tlsCertificate?: Uint8Array | undefined; readonly headers: Headers },
  source: ClientCertificateSource,
): Uint8Array | undefined {
  if (source.from === 'tls') return connection.tlsCertificate
  const field = connection.headers.get(source.header)
  if (field === null) return undefined
  const der = source.format === 'url-encoded-pem' ? derOfPem(field) : derOfItem(field)
  if (der !== undefined && der.length > 0) return der
  throw new ProtocolError('invalid_request', 'The field with the client certificate is malformed.')
}

function derOfItem(field: string): Uint8Array | undefined {
  const item = parseItem(field)
  return item?.value.type === 'bytes' ? item.value.value : undefined
}

const MOST_PEM_CHARACTERS = 16_384
const ONE_CERTIFICATE =
  /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/\r\n]+={0,2})\r?\n-----END CERTIFICATE-----\s*$/

// One certificate and nothing else: two would leave it to chance which of them the connection was made with.
function derOfPem(field: string): Uint8Array | undefined {
  if (field.length > MOST_PEM_CHARACTERS) return undefined
  const base64 = ONE_CERTIFICATE.exec(percentDecoded(field) ?? '')?.[1]?.replace(/[\r\n]/g, '')
  if (base64 === undefined || base64.length % 4 !== 0) return undefined
  return Buffer.from(base64, 'base64')
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** How a client that logs in by certificate is registered. */
export type MtlsRegistration =
  | {
      readonly method: 'tls_client_auth'
      readonly anchors: TrustAnchors
      /** Exactly one attribute of the certificate. */
      readonly subject: { readonly sanDns: string } | { readonly sanUri: string }
    }
  | { readonly method: 'self_signed_tls_client_auth'; readonly keys: readonly PublicJwk[] }

/**
 * Verifies client authentication by certificate. The `client_id` parameter chose the registration.
 *
 * @param certificates DER, leaf first, then the intermediates that the client sent.
 * @param now NumericDate.
 * @throws {ProtocolError} `invalid_client`.
 *
 * Source: RFC 8705, sections 2.1 and 2.2.
 */
export function verifyMtlsClient(
  certificates: readonly Uint8Array[],
  registration: MtlsRegistration,
  now: number,
): void {
  const [leaf] = certificates
  if (leaf === undefined) throw refused('Present the client certificate in the TLS connection.')
  const fits =
    registration.method === 'tls_client_auth'
      ? subjectFits(certificates, registration, now)
      : registration.keys.some((key) => equalText(jwkThumbprint(key), jwkThumbprint(leafKey(leaf))))
  if (!fits) throw refused('The client certificate is not the registered one.')
}

function subjectFits(
  certificates: readonly Uint8Array[],
  { anchors, subject }: Extract<MtlsRegistration, { method: 'tls_client_auth' }>,
  now: number,
): boolean {
  const x5c = certificates.map((der) => Buffer.from(der).toString('base64'))
  try {
    const { dnsNames, uris } = verifyCertificateChain(x5c, { anchors, now })
    return 'sanDns' in subject ? dnsNames.includes(subject.sanDns) : uris.includes(subject.sanUri)
  } catch (cause) {
    throw refused('The client certificate does not end at a trusted anchor.', cause)
  }
}

function leafKey(der: Uint8Array): PublicJwk {
  try {
    const jwk: unknown = new X509Certificate(der).publicKey.export({ format: 'jwk' })
    return parsePublicJwk(isJsonObject(jwk) ? jwk : undefined)
  } catch (cause) {
    throw refused('The client certificate is malformed.', cause)
  }
}

function refused(description: string, cause?: unknown): ProtocolError {
  return new ProtocolError('invalid_client', description, cause === undefined ? {} : { cause })
}
