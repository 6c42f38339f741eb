/**
 * X.509 path validation: from a chain a peer sent to an anchor of the configuration.
 *
 * The chain comes leaf first and without its root; it is never reordered, completed from elsewhere or
 * trusted because it holds its own root. Which list of anchors counts is decided by the caller, per purpose.
 * Revocation of certificates is not looked at: lifetimes are short and anchors are configuration.
 *
 * Source: RFC 5280, section 6.1; RFC 7515, section 4.1.6; HAIP 1.0, sections 4 to 6.
 *
 * @module
 */
import { type NumericDate, VerificationError } from '@attache/core'
import { type Certificate, isIssuedBy, isSelfSigned, leafKeyOf, parseCertificate } from './certificate.js'
import { requireCertificateAuthority, requireLeaf, requireValidity } from './certificate-rules.js'
import { misconfiguration, refusal } from './error-codes.js'
import { createValidPaths, type ValidPaths, type VerifiedChain } from './valid-paths.js'
import { decodeX5c, derFromPem } from './x5c.js'

/** The certificates that count for one purpose. Made by `createAnchors`. */
export interface TrustAnchors {
  /** Name of the list in the configuration, as error messages give it. */
  readonly name: string
  /** PEM, one certificate each. */
  readonly certificates: readonly string[]
}

/** Longest chain accepted; real ones have one to three certificates. */
const MAX_CHAIN_LENGTH = 6

/** A list of anchors, parsed, and the chains that were found good below it. */
interface AnchorList {
  readonly certificates: readonly Certificate[]
  readonly validPaths: ValidPaths
}

const parsedAnchors = new WeakMap<TrustAnchors, AnchorList>()

/**
 * Reads a list of anchors while the thing that trusts them is being built.
 *
 * @param name Name of the list in the configuration.
 * @param pem PEM texts, each with one certificate or several.
 * @throws {TypeError} `anchor_malformed`: a text without a certificate, or a certificate that is no CA.
 *
 * Source: RFC 5280, section 6.1.1 (d).
 */
export function createAnchors(name: string, pem: readonly string[]): TrustAnchors {
  const certificates = pem.flatMap((text) => {
    const found = derFromPem(text).map(parseCertificate)
    if (found.length === 0) throw malformedAnchor(name)
    return found.map((certificate) => {
      if (certificate?.extensions.basicConstraints?.ca !== true) throw malformedAnchor(name)
      return certificate
    })
  })
  const anchors = Object.freeze({ name, certificates: certificates.map(({ x509 }) => x509.toString()) })
  parsedAnchors.set(anchors, { certificates, validPaths: createValidPaths() })
  return anchors
}

/**
 * Validates a chain and returns the leaf's key and names.
 *
 * @param x5c Standard base64 of DER, leaf first, without the root.
 * @param expected.extendedKeyUsage Object identifier the leaf must carry; `anyExtendedKeyUsage` does not stand in.
 * @throws {VerificationError} `certificate_malformed`, `certificate_chain_too_long`, `certificate_self_signed`,
 *   `certificate_anchor_in_chain`, `certificate_expired`, `certificate_not_yet_valid`, `certificate_not_ca`,
 *   `certificate_path_length`, `certificate_key_usage`, `certificate_extended_key_usage`,
 *   `certificate_critical_extension`, `certificate_weak`, `certificate_chain_broken`, `anchor_not_found`;
 *   for the leaf's key the codes of `parsePublicJwk`. The cause carries subjects and hashes for the log.
 *
 * Source: RFC 5280, section 6.1; RFC 7515, section 4.1.6.
 */
export function verifyCertificateChain(
  x5c: readonly string[],
  expected: { anchors: TrustAnchors; now: NumericDate; extendedKeyUsage?: string },
): VerifiedChain {
  if (x5c.length > MAX_CHAIN_LENGTH) {
    throw refusal('certificate_chain_too_long', 'The certificate chain is too long.')
  }
  const { certificates, validPaths } = listOf(expected.anchors)
  const known = validPaths.get(x5c, expected)
  if (known !== undefined) return known

  const chain = decodeX5c(x5c)
  try {
    const verified = validatePath(chain, { ...expected, anchors: certificates, list: expected.anchors.name })
    validPaths.add(x5c, { ...expected, verified })
    return verified
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw new VerificationError(error.code, error.message, { cause: describe(chain) })
  }
}

function validatePath(
  chain: readonly [Certificate, ...Certificate[]],
  expected: { anchors: readonly Certificate[]; list: string; now: NumericDate; extendedKeyUsage?: string },
): VerifiedChain {
  const [leaf] = chain
  refuseOwnRoot(chain, expected.anchors)
  requireLeaf(leaf, expected.extendedKeyUsage)
  const path = [...chain, findAnchor(chain.at(-1) ?? leaf, expected)]
  path.forEach((certificate, position) => {
    requireValidity(certificate, expected.now)
    // `position - 1` intermediates stand between this authority and the leaf.
    if (position > 0) requireCertificateAuthority(certificate, position - 1)
  })
  chain.forEach((certificate, position) => {
    const issuer = path[position + 1]
    if (issuer === undefined || !isIssuedBy(certificate, issuer)) {
      throw refusal(
        'certificate_chain_broken',
        'Each certificate must be signed by the next one. Send x5c leaf first and without gaps.',
      )
    }
  })
  return factsOf(chain, path, expected.list)
}

/** A chain that brings its own root proves nothing; peers of the high assurance profile refuse it, so do we. */
function refuseOwnRoot(chain: readonly Certificate[], anchors: readonly Certificate[]): void {
  chain.forEach((certificate, position) => {
    const selfSigned = isSelfSigned(certificate)
    if (position === 0 && selfSigned) {
      throw refusal('certificate_self_signed', 'The signing certificate must not be self-signed.')
    }
    const isAnchor = anchors.some(({ sha256 }) => sha256 === certificate.sha256)
    if (isAnchor || selfSigned) {
      throw refusal('certificate_anchor_in_chain', 'Leave the trust anchor out of x5c.')
    }
  })
}

/** Of a renewed authority (one name and key, two certificates) the one counts whose time it is. */
function findAnchor(
  last: Certificate,
  { anchors, list, now }: { anchors: readonly Certificate[]; list: string; now: NumericDate },
): Certificate {
  const fitting = anchors.filter((candidate) => isIssuedBy(last, candidate))
  const inForce = fitting.find(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter)
  const anchor = inForce ?? fitting[0]
  if (anchor !== undefined) return anchor
  throw refusal(
    'anchor_not_found',
    `The certificate chain ends at no certificate of the list ${list}. Add its root there if it is to be trusted.`,
  )
}

function factsOf(
  chain: readonly [Certificate, ...Certificate[]],
  path: readonly Certificate[],
  list: string,
) {
  const [leaf] = chain
  return {
    leafKey: leafKeyOf(leaf),
    subject: leaf.subject,
    dnsNames: leaf.extensions.dnsNames,
    uris: leaf.extensions.uris,
    sha256: leaf.sha256,
    notBefore: Math.max(...path.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...path.map(({ notAfter }) => notAfter)),
    authorityKeyIds: chain.flatMap(({ extensions }) => extensions.authorityKeyId ?? []),
    anchors: list,
  }
}

function listOf(anchors: TrustAnchors): AnchorList {
  const known = parsedAnchors.get(anchors)
  if (known !== undefined) return known
  // Written down by hand: parsed once, then known by this object too.
  const list = listOf(createAnchors(anchors.name, anchors.certificates))
  parsedAnchors.set(anchors, list)
  return list
}

function describe(chain: readonly Certificate[]): { readonly chain: readonly string[] } {
  return { chain: chain.map(({ subject, sha256 }) => `${subject} (sha-256 ${sha256})`) }
}

function malformedAnchor(name: string): TypeError {
  return misconfiguration(
    'anchor_malformed',
    `The list ${name} holds something that is no CA certificate in PEM.`,
  )
}
