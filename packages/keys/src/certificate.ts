/**
 * One X.509 certificate, taken apart: the facts path validation asks for.
 *
 * `node:crypto` parses it and checks signatures; names, critical extensions, key usage and path length are
 * read from DER here, because Node does not hand them out. Judging is the business of `x509.ts`.
 *
 * Source: RFC 5280, sections 4.1 and 4.2.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto'
import { encodeBase64url, type NumericDate } from '@attache/core'
import { type DerElement, readChildren, readElement, readObjectIdentifier, readSmallInteger } from './der.js'
import { sha256 } from './digest.js'
import { refusal } from './error-codes.js'
import { type PublicJwk, parsePublicJwk } from './jwk.js'

/** A parsed certificate. */
export interface Certificate {
  readonly x509: X509Certificate
  readonly der: Uint8Array
  /** SHA-256 of the DER, base64url. */
  readonly sha256: string
  /** DER of the names, as hex: compared byte for byte. */
  readonly issuerName: string
  readonly subjectName: string
  /** The subject for people and logs, one line. */
  readonly subject: string
  readonly notBefore: NumericDate
  readonly notAfter: NumericDate
  readonly signatureAlgorithm: string
  readonly extensions: CertificateExtensions
}

/** The extensions that are understood here. */
export interface CertificateExtensions {
  /** `undefined`: the extension is absent. */
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number }
  /** Names of RFC 5280, section 4.2.1.3, as far as they matter. `undefined`: absent. */
  readonly keyUsage?: { readonly digitalSignature: boolean; readonly keyCertSign: boolean }
  /** Object identifiers. `undefined`: absent. */
  readonly extendedKeyUsage?: readonly string[]
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  /** `keyIdentifier` of the Authority Key Identifier, base64url. */
  readonly authorityKeyId?: string
  /** Object identifiers of critical extensions that are not understood here. */
  readonly unknownCritical: readonly string[]
  /** Name constraints are not evaluated, so a certificate that carries them cannot be relied on. */
  readonly nameConstraints: boolean
}

const OID = {
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  // With the initial policy set `any-policy` the policies themselves decide nothing (RFC 5280, 6.1.1).
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

const UNDERSTOOD = new Set<string>(Object.values(OID))

/**
 * Parses one DER certificate.
 *
 * @returns `undefined` when the bytes are no certificate, repeat an extension, or carry trailing bytes.
 */
export function parseCertificate(der: Uint8Array): Certificate | undefined {
  try {
    const x509 = new X509Certificate(der)
    const fields = certificateFields(der)
    return {
      x509,
      der,
      sha256: encodeBase64url(sha256(der)),
      subject: oneLine(x509.subject),
      ...dates(x509),
      ...fields,
    }
  } catch {
    return undefined // OpenSSL's words would say where in a peer's bytes; nobody acts on that.
  }
}

/** Whether a certificate is signed with its own key; an equal name alone says little. */
export function isSelfSigned(certificate: Certificate): boolean {
  return isIssuedBy(certificate, certificate)
}

/** Whether a certificate names another one as its issuer and its signature holds for that key. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (certificate.issuerName !== issuer.subjectName) return false
  try {
    return certificate.x509.verify(issuer.x509.publicKey)
  } catch {
    return false // A key of a kind that signs nothing, or that OpenSSL does not know.
  }
}

/**
 * The certified key.
 *
 * @throws {VerificationError} Codes of `parsePublicJwk`; a key that has no JWK form is `jwk_type_refused`.
 */
export function leafKeyOf(leaf: Certificate): PublicJwk {
  return parsePublicJwk(exportedKey(leaf))
}

function exportedKey({ x509 }: Certificate): unknown {
  try {
    return { ...x509.publicKey.export({ format: 'jwk' }) }
  } catch (cause) {
    throw refusal('jwk_type_refused', 'The certificate is one of a key type that is not used here.', {
      cause,
    })
  }
}

function dates(x509: X509Certificate) {
  const [notBefore, notAfter] = [seconds(x509.validFrom), seconds(x509.validTo)]
  return { notBefore, notAfter }
}

function seconds(text: string): NumericDate {
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds)) throw new RangeError('not a date')
  return Math.floor(milliseconds / 1000)
}

/**
 * Node writes one attribute a line, special characters escaped after RFC 2253; the rest of what is not ASCII is
 * escaped here the same way. Nothing is lost: the text names issuers, and two names must not become one.
 */
function oneLine(name: string): string {
  return name
    .split('\n')
    .join(', ')
    .replace(/[^\x20-\x7e]/gu, (character) => {
      const bytes = [...Buffer.from(character, 'utf8')]
      return bytes.map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
    })
}

function certificateFields(der: Uint8Array) {
  const [body, algorithm] = readChildren(readElement(der))
  if (body === undefined || algorithm === undefined) throw new RangeError('not a certificate')
  const fields = readChildren(body)
  const offset = fields[0]?.tag === 0xa0 ? 1 : 0 // [0] version
  const [issuer, subject] = [fields[offset + 2], fields[offset + 4]]
  if (issuer === undefined || subject === undefined) throw new RangeError('not a certificate')
  const extensions = fields.find((field) => field.tag === 0xa3)
  return {
    issuerName: Buffer.from(issuer.raw).toString('hex'),
    subjectName: Buffer.from(subject.raw).toString('hex'),
    signatureAlgorithm: readObjectIdentifier(readChildren(algorithm)[0]),
    extensions: readExtensions(extensions),
  }
}

function readExtensions(wrapper: DerElement | undefined): CertificateExtensions {
  const sequence = wrapper === undefined ? undefined : readElement(wrapper.content)
  const values = new Map<string, DerElement>()
  const unknownCritical: string[] = []
  for (const extension of sequence === undefined ? [] : readChildren(sequence)) {
    const [id, ...rest] = readChildren(extension)
    const oid = readObjectIdentifier(id)
    const value = rest.at(-1)
    const critical = rest.length > 1 && rest[0]?.tag === 0x01 && rest[0].content[0] !== 0
    if (values.has(oid) || value?.tag !== 0x04) throw new RangeError('extension repeated or malformed')
    if (critical && !UNDERSTOOD.has(oid)) unknownCritical.push(oid)
    values.set(oid, UNDERSTOOD.has(oid) ? readElement(value.content) : value)
  }
  return {
    ...constraintsOf(values.get(OID.basicConstraints)),
    ...keyUsageOf(values.get(OID.keyUsage)),
    ...extendedKeyUsageOf(values.get(OID.extendedKeyUsage)),
    ...alternativeNames(values.get(OID.subjectAlternativeName)),
    ...authorityKeyIdOf(values.get(OID.authorityKeyIdentifier)),
    unknownCritical,
    nameConstraints: values.has(OID.nameConstraints),
  }
}

function constraintsOf(value: DerElement | undefined): Pick<CertificateExtensions, 'basicConstraints'> {
  if (value === undefined) return {}
  const parts = readChildren(value)
  const ca = parts[0]?.tag === 0x01 && parts[0].content[0] !== 0
  const length = parts.find((part) => part.tag === 0x02)
  return {
    basicConstraints: { ca, ...(length === undefined ? {} : { pathLength: readSmallInteger(length) }) },
  }
}

/** BIT STRING: first octet counts unused bits; bit 0 is the most significant one. */
function keyUsageOf(value: DerElement | undefined): Pick<CertificateExtensions, 'keyUsage'> {
  if (value === undefined) return {}
  const bits = value.content[1] ?? 0
  return { keyUsage: { digitalSignature: (bits & 0x80) !== 0, keyCertSign: (bits & 0x04) !== 0 } }
}

function extendedKeyUsageOf(value: DerElement | undefined): Pick<CertificateExtensions, 'extendedKeyUsage'> {
  return value === undefined ? {} : { extendedKeyUsage: readChildren(value).map(readObjectIdentifier) }
}

function alternativeNames(value: DerElement | undefined): Pick<CertificateExtensions, 'dnsNames' | 'uris'> {
  const names = value === undefined ? [] : readChildren(value)
  const ofTag = (tag: number) =>
    names.filter((name) => name.tag === tag).map((name) => Buffer.from(name.content).toString('latin1'))
  return { dnsNames: ofTag(0x82), uris: ofTag(0x86) } // [2] dNSName, [6] uniformResourceIdentifier
}

function authorityKeyIdOf(value: DerElement | undefined): Pick<CertificateExtensions, 'authorityKeyId'> {
  const id = value === undefined ? undefined : readChildren(value).find((part) => part.tag === 0x80)
  return id === undefined ? {} : { authorityKeyId: encodeBase64url(id.content) }
}
