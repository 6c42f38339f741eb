/**
 * Certificates made here: a root, intermediates, and leaves for signers and TLS servers.
 *
 * For the quickstart, for tests, and for who runs a small CA of his own; a company with a PKI never calls this.
 * How a certificate is put together is `certificate-making.ts`; checking one is `x509.ts`.
 *
 * Source: RFC 5280, section 4; CA/Browser Forum rules do not apply to private roots.
 *
 * @module
 */
import type { JsonObject, NumericDate, Random } from '@attache/core'
import { makeCertificate } from './certificate-making.js'
import type { PublicJwk } from './jwk.js'
import { importPrivateJwk } from './private-jwk.js'
import { pemOf } from './x5c.js'

/** A certificate authority with its private key; keep it out of logs. */
export interface CertificateAuthority {
  readonly commonName: string
  /** Its own certificate. */
  readonly pem: string
  /** Intermediates from this one upwards, without the root: what follows a leaf in `x5c`. Empty for a root. */
  readonly intermediates: readonly string[]
  readonly privateJwk: JsonObject
}

/** A certificate made for somebody's public key. */
export interface IssuedCertificate {
  /** Leaf and intermediates as one PEM text, as TLS servers read it. */
  readonly pem: string
  /** Leaf and intermediates in standard base64 of DER: the value of `x5c`. */
  readonly x5c: readonly string[]
}

/** What a certificate authority is to be. */
export interface CertificateAuthorityOptions {
  readonly commonName: string
  /** EC, Ed25519 or RSA private JWK. */
  readonly privateJwk: JsonObject
  readonly notBefore: NumericDate
  readonly notAfter: NumericDate
  /** The authority above. Absent for a root. */
  readonly issuer?: CertificateAuthority
  /** How many intermediates may stand between this one and a leaf. @default unlimited for a root, 0 below */
  readonly pathLength?: number
}

/** What a leaf is to be. */
export interface CertificateOptions {
  readonly commonName: string
  readonly publicJwk: PublicJwk
  readonly issuer: CertificateAuthority
  readonly notBefore: NumericDate
  readonly notAfter: NumericDate
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly uris?: readonly string[]
  /** Object identifiers, for example `1.3.6.1.5.5.7.3.1` for a TLS server. */
  readonly extendedKeyUsages?: readonly string[]
}

/**
 * Makes a root, or with `issuer` an intermediate authority.
 *
 * @throws {TypeError} `private_key_malformed`, `algorithm_refused`.
 *
 * Source: RFC 5280, sections 4.2.1.3 and 4.2.1.9.
 */
export async function createCertificateAuthority(
  options: CertificateAuthorityOptions,
  deps: { random: Random },
): Promise<CertificateAuthority> {
  const { commonName, privateJwk, issuer } = options
  const pathLength = options.pathLength ?? (issuer === undefined ? undefined : 0)
  const der = await makeCertificate({
    subject: commonName,
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    publicJwk: importPrivateJwk(privateJwk).publicJwk,
    issuer: issuer ?? { commonName, privateJwk },
    use: pathLength === undefined ? { authority: true } : { authority: true, pathLength },
    random: deps.random,
  })
  const intermediates = issuer === undefined ? [] : [der, ...issuer.intermediates]
  return { commonName, pem: pemOf(der), intermediates, privateJwk }
}

/**
 * Issues a certificate for a public key.
 *
 * @throws {TypeError} `private_key_malformed`, `algorithm_refused`: the issuer's key cannot sign.
 *
 * Source: RFC 5280, sections 4.1 and 4.2.
 */
export async function issueCertificate(
  options: CertificateOptions,
  deps: { random: Random },
): Promise<IssuedCertificate> {
  const { dnsNames = [], ipAddresses = [], uris = [], extendedKeyUsages = [] } = options
  const der = await makeCertificate({
    subject: options.commonName,
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    publicJwk: options.publicJwk,
    issuer: options.issuer,
    use: { authority: false, dnsNames, ipAddresses, uris, extendedKeyUsages },
    random: deps.random,
  })
  const x5c = [der, ...options.issuer.intermediates]
  return { x5c, pem: x5c.map(pemOf).join('') }
}
