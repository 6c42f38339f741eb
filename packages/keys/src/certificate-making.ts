/**
 * One X.509 certificate, put together and signed with a certificate library.
 *
 * The library is loaded when a certificate is made: it costs 0.3 s, and most processes only check certificates.
 *
 * Source: RFC 5280, sections 4.1 and 4.2; RFC 7093, section 2 (key identifiers).
 *
 * @module
 */
import { webcrypto } from 'node:crypto'
import type { JsonObject, NumericDate, Random } from '@attache/core'
import type { Extension } from '@peculiar/x509'
import { sha256 } from './digest.js'
import { type PublicJwk, publicKeyObject } from './jwk.js'
import { importPrivateJwk } from './private-jwk.js'

/** What a certificate is for. */
export type CertificateUse =
  | { readonly authority: true; readonly pathLength?: number }
  | {
      readonly authority: false
      readonly dnsNames: readonly string[]
      readonly ipAddresses: readonly string[]
      readonly uris: readonly string[]
      readonly extendedKeyUsages: readonly string[]
    }

/** A certificate to be made. */
export interface CertificateDescription {
  /** Common name of the subject. */
  readonly subject: string
  readonly notBefore: NumericDate
  readonly notAfter: NumericDate
  readonly publicJwk: PublicJwk
  readonly issuer: { readonly commonName: string; readonly privateJwk: JsonObject }
  readonly use: CertificateUse
  readonly random: Random
}

/** Makes a certificate: standard base64 of DER. */
export async function makeCertificate(description: CertificateDescription): Promise<string> {
  const { subject, notBefore, notAfter, issuer } = description
  const signing = await signingKey(issuer.privateJwk)
  const { X509CertificateGenerator } = await certificateLibrary()
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(description.random),
      subject: [{ CN: [subject] }],
      issuer: [{ CN: [issuer.commonName] }],
      notBefore: new Date(notBefore * 1000),
      notAfter: new Date(notAfter * 1000),
      publicKey: spkiOf(description.publicJwk),
      signingKey: signing.key,
      signingAlgorithm: signing.algorithm,
      extensions: [
        ...(await useExtensions(description.use)),
        ...(await keyIdentifiers(description.publicJwk, importPrivateJwk(issuer.privateJwk).publicJwk)),
      ],
    },
    webcrypto,
  )
  return Buffer.from(certificate.rawData).toString('base64')
}

async function certificateLibrary() {
  await import('reflect-metadata') // The library's dependency injection needs it first.
  return import('@peculiar/x509')
}

/** The issuer's key as WebCrypto wants it, which is what the library signs with. */
async function signingKey(privateJwk: JsonObject) {
  const { keyObject, publicJwk } = importPrivateJwk(privateJwk)
  const algorithm = signingAlgorithm(publicJwk)
  const pkcs8 = keyObject.export({ type: 'pkcs8', format: 'der' })
  return { key: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']), algorithm }
}

function signingAlgorithm({ kty, crv = '' }: PublicJwk) {
  if (kty === 'OKP') return { name: 'Ed25519', hash: 'SHA-512' }
  if (kty === 'RSA') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const hash = crv === 'P-256' ? 'SHA-256' : crv === 'P-384' ? 'SHA-384' : 'SHA-512'
  return { name: 'ECDSA', namedCurve: crv, hash }
}

async function useExtensions(use: CertificateUse): Promise<Extension[]> {
  const x509 = await certificateLibrary()
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags
  if (use.authority) {
    return [
      new x509.BasicConstraintsExtension(true, use.pathLength, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    ]
  }
  const names = [
    ...use.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...use.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
    ...use.uris.map((value) => ({ type: 'url' as const, value })),
  ]
  const usages = [...use.extendedKeyUsages]
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(digitalSignature, true),
    ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ...(usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(usages)]),
  ]
}

async function keyIdentifiers(subject: PublicJwk, issuer: PublicJwk): Promise<Extension[]> {
  const x509 = await certificateLibrary()
  return [
    new x509.SubjectKeyIdentifierExtension(keyIdentifier(subject)),
    new x509.AuthorityKeyIdentifierExtension(keyIdentifier(issuer)),
  ]
}

/** Hex of the leftmost 160 bits of the SHA-256 of the public key. */
function keyIdentifier(jwk: PublicJwk): string {
  return Buffer.from(sha256(spkiOf(jwk)).subarray(0, 20)).toString('hex')
}

function spkiOf(jwk: PublicJwk): Buffer<ArrayBuffer> {
  return Buffer.from(publicKeyObject(jwk).export({ type: 'spki', format: 'der' }))
}

/** Positive and 16 bytes long (RFC 5280, section 4.1.2.2). */
function serialNumber(random: Random): string {
  const bytes = Uint8Array.from(random(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
