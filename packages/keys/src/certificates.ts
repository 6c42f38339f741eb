/**
 * Certificates made here: a root, intermediates, and leaves for signers and TLS servers.
 *
 * For the quickstart, for tests, and for who runs a small CA of his own; a company with a PKI never calls this.
 * Checking certificates is the business of `x509.ts`.
 *
 * Source: RFC 5280, section 4; CA/Browser Forum rules do not apply to private roots.
 *
 * @module
 */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import type { JsonObject, NumericDate, Random } from '@attache/core'
import * as x509 from '@peculiar/x509'
import { sha256 } from './digest.js'
import { type PublicJwk, publicKeyObject } from './jwk.js'
import { importPrivateJwk } from './private-jwk.js'

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
  const { commonName, privateJwk } = options
  const own = { commonName, privateJwk, spki: spkiOf(importPrivateJwk(privateJwk).publicJwk) }
  const above = options.issuer === undefined ? undefined : issuerKey(options.issuer)
  const pathLength = options.pathLength ?? (above === undefined ? undefined : 0)
  const certificate = await sign({
    subject: commonName,
    validity: options,
    spki: own.spki,
    issuer: above ?? own,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
    random: deps.random,
  })
  const intermediates =
    options.issuer === undefined ? [] : [base64(certificate), ...options.issuer.intermediates]
  return { commonName, pem: pemOf(base64(certificate)), intermediates, privateJwk }
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
  const certificate = await sign({
    subject: options.commonName,
    validity: options,
    spki: spkiOf(options.publicJwk),
    issuer: issuerKey(options.issuer),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...alternativeNames(options),
      ...extendedKeyUsage(options.extendedKeyUsages ?? []),
    ],
    random: deps.random,
  })
  const x5c = [base64(certificate), ...options.issuer.intermediates]
  return { x5c, pem: x5c.map(pemOf).join('') }
}

/** What of an authority goes into the certificates it signs. */
interface IssuerKey {
  readonly commonName: string
  readonly privateJwk: JsonObject
  readonly spki: Uint8Array
}

async function sign(input: {
  subject: string
  validity: { notBefore: NumericDate; notAfter: NumericDate }
  spki: Uint8Array
  issuer: IssuerKey
  extensions: x509.Extension[]
  random: Random
}): Promise<x509.X509Certificate> {
  const signing = await signingKey(input.issuer.privateJwk)
  return x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(input.random),
      subject: [{ CN: [input.subject] }],
      issuer: [{ CN: [input.issuer.commonName] }],
      notBefore: new Date(input.validity.notBefore * 1000),
      notAfter: new Date(input.validity.notAfter * 1000),
      publicKey: Buffer.from(input.spki),
      signingKey: signing.key,
      signingAlgorithm: signing.algorithm,
      extensions: [
        ...input.extensions,
        new x509.SubjectKeyIdentifierExtension(keyIdentifier(input.spki)),
        new x509.AuthorityKeyIdentifierExtension(keyIdentifier(input.issuer.spki)),
      ],
    },
    webcrypto,
  )
}

/** An EC or Ed25519 key as WebCrypto wants it, which is what the certificate library signs with. */
async function signingKey(privateJwk: JsonObject) {
  const { keyObject, publicJwk } = importPrivateJwk(privateJwk)
  const algorithm = signingAlgorithm(publicJwk)
  const pkcs8 = keyObject.export({ type: 'pkcs8', format: 'der' })
  return { key: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']), algorithm }
}

function signingAlgorithm({ kty, crv = '' }: PublicJwk) {
  const hash = new Map([
    ['P-256', 'SHA-256'],
    ['P-384', 'SHA-384'],
    ['P-521', 'SHA-512'],
  ]).get(crv)
  if (kty === 'EC' && hash !== undefined) return { name: 'ECDSA', namedCurve: crv, hash }
  if (kty === 'OKP') return { name: 'Ed25519', hash: 'SHA-512' }
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
}

function issuerKey(authority: CertificateAuthority): IssuerKey {
  const { commonName, privateJwk } = authority
  return { commonName, privateJwk, spki: spkiOf(importPrivateJwk(privateJwk).publicJwk) }
}

function spkiOf(jwk: PublicJwk): Uint8Array {
  return publicKeyObject(jwk).export({ type: 'spki', format: 'der' })
}

/** Hex of the leftmost 160 bits of a SHA-256, as RFC 7093, section 2, has it. */
function keyIdentifier(spki: Uint8Array): string {
  return Buffer.from(sha256(spki).subarray(0, 20)).toString('hex')
}

/** Positive and 16 bytes long (RFC 5280, section 4.1.2.2). */
function serialNumber(random: Random): string {
  const bytes = Uint8Array.from(random(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

function alternativeNames(options: CertificateOptions): x509.Extension[] {
  const names = [
    ...(options.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(options.uris ?? []).map((value) => ({ type: 'url' as const, value })),
  ]
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]
}

function extendedKeyUsage(usages: readonly string[]): x509.Extension[] {
  return usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...usages])]
}

function base64(certificate: x509.X509Certificate): string {
  return Buffer.from(certificate.rawData).toString('base64')
}

function pemOf(der: string): string {
  const lines = der.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
