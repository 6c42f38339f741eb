/**
 * Keys and certificates for tests, marked so that no production verifier takes them.
 *
 * The mark is the subject of every certificate; `createVerifier` of `@attache/verifier` refuses it unless its
 * options say `allowUnsafeAnchors`.
 *
 * @module
 */
import type { NumericDate, Random } from '@attache/core'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
} from '@attache/keys'
import { UNSAFE_SUBJECT_PREFIX } from '@attache/verifier'

/** An authority that vouches for test signers. */
export interface UnsafeAuthority {
  /** Its certificate, PEM. */
  readonly pem: string
  /** Makes a signer with a certificate that names a host. */
  createSigner(host: string): Promise<Signer>
}

const YEAR_SECONDS = 31_536_000

/**
 * Creates an authority with a fresh key; its certificates hold for a year before and after.
 *
 * @param now NumericDate of the test.
 */
export async function createUnsafeAuthority(
  now: NumericDate,
  deps: { readonly random: Random },
): Promise<UnsafeAuthority> {
  const times = { notBefore: now - YEAR_SECONDS, notAfter: now + YEAR_SECONDS }
  const issuer = await createCertificateAuthority(
    {
      commonName: `${UNSAFE_SUBJECT_PREFIX}test authority`,
      privateJwk: generatePrivateJwk('ES256'),
      ...times,
    },
    deps,
  )
  return {
    pem: issuer.pem,
    async createSigner(host) {
      const privateJwk = generatePrivateJwk('ES256')
      const { publicJwk } = createSoftwareSigner(privateJwk)
      const commonName = `${UNSAFE_SUBJECT_PREFIX}${host}`
      const { x5c } = await issueCertificate(
        { commonName, publicJwk, issuer, dnsNames: [host], ...times },
        deps,
      )
      return createSoftwareSigner(privateJwk, { x5c })
    },
  }
}
