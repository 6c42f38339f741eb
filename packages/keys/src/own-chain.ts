/**
 * Our own certificate chain, looked at while a signer is being built: what peers would refuse stops the start.
 *
 * Source: RFC 7515, section 4.1.6; HAIP 1.0, sections 4.1, 5 and 6.1.1.
 *
 * @module
 */

import { type Certificate, isSelfSigned, leafKeyOf } from './certificate.js'
import { misconfiguration } from './error-codes.js'
import type { PublicJwk } from './jwk.js'
import { jwkThumbprint } from './thumbprint.js'
import { decodeX5c } from './x5c.js'

/**
 * Refuses a chain we could not send.
 *
 * @throws {TypeError} `x5c_malformed`; `self_signed`: the signing certificate is its own issuer; `x5c_anchor`:
 *   a root stands in the chain; `x5c_key_mismatch`: the leaf certifies another key.
 *
 * Source: HAIP 1.0, sections 5 and 6.1.1.
 */
export function requireOwnChain(x5c: readonly string[], publicJwk: PublicJwk): void {
  const [leaf, ...rest] = certificatesOf(x5c)
  if (leaf === undefined || isSelfSigned(leaf)) {
    throw misconfiguration('self_signed', 'A signing certificate must be issued by a certificate authority.')
  }
  if (rest.some(isSelfSigned)) {
    throw misconfiguration('x5c_anchor', 'Leave the root certificate out of the chain that is sent as x5c.')
  }
  if (jwkThumbprint(leafKeyOf(leaf)) !== jwkThumbprint(publicJwk)) {
    throw misconfiguration(
      'x5c_key_mismatch',
      'The first certificate of the chain is not one of the signing key.',
    )
  }
}

function certificatesOf(x5c: readonly string[]): readonly Certificate[] {
  try {
    return decodeX5c(x5c)
  } catch {
    throw misconfiguration('x5c_malformed', 'The certificate chain is not a list of base64 DER certificates.')
  }
}
