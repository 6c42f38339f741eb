/**
 * The client certificate of a call, where the configuration says who may name it.
 *
 * Only a proxy that authenticated itself does, in the field of RFC 9440, and it takes that field away from
 * everything clients send. Without the configuration the field means nothing, whoever sent it. A host that ends
 * TLS itself is that proxy for its own connections.
 *
 * Source: RFC 8705, section 3; RFC 9440, sections 2.2 and 3.
 *
 * @module
 */
import { type ClientCertificateSource, certificateThumbprint, clientCertificate } from '@attache/oauth'

/** A header field of a trusted proxy. */
export type TrustedCertificateField = Extract<ClientCertificateSource, { readonly from: 'proxy' }>

/**
 * Reads the thumbprint of the certificate that was shown.
 *
 * @param source Nothing: certificates are not looked at.
 * @returns `x5t#S256`; nothing when no certificate was shown.
 * @throws {ProtocolError} `invalid_request`: the proxy's field is malformed.
 *
 * Source: RFC 8705, section 3.1.
 */
export function shownCertificate(
  headers: Headers,
  source: TrustedCertificateField | undefined,
): string | undefined {
  const der = source === undefined ? undefined : clientCertificate({ headers }, source)
  return der === undefined ? undefined : certificateThumbprint(der)
}
