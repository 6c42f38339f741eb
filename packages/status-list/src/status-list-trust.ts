/**
 * Whose signature counts on a Status List Token: never that of whatever key the token names.
 *
 * Source: Token Status List -20, sections 10 and 11.3; HAIP 1.0, section 6.1.
 *
 * @module
 */
import { isJsonArray, member, type NumericDate, VerificationError } from '@attache/core'
import {
  digest,
  jwkThumbprint,
  type ParsedJws,
  type PublicJwk,
  type TrustAnchors,
  verifyCertificateChain,
} from '@attache/keys'

/** Finds the key that counts. */
export interface StatusListTrust {
  /** Two trusts with one id trust the same; copies of a list are shared among them. */
  readonly id: string
  /** @throws {VerificationError} when the token cannot be tied to a trusted key. */
  keyFor(token: ParsedJws, facts: { readonly uri: string; readonly now: NumericDate }): Promise<PublicJwk>
}

/** Trusts one key: the credential issuer's own, or one that its key resolution gave. */
export function trustKey(key: PublicJwk): StatusListTrust {
  return { id: `key:${jwkThumbprint(key)}`, keyFor: async () => key }
}

/** How certificates of status list signers are trusted. */
export interface TrustCertificatesOptions {
  /** The list of anchors for status list signers. */
  readonly anchors: TrustAnchors
  /**
   * `uri-host`: the leaf names the host of the list, so one signer under a shared anchor cannot speak for
   * another. `any`: every leaf under the anchors speaks for every list; for anchors with one issuer.
   */
  readonly signer: 'uri-host' | 'any'
  /** Object identifier of an extended key usage the leaf must carry. */
  readonly extendedKeyUsage?: string
}

/**
 * Trusts certificates under anchors: the token brings its chain in `x5c`, without the anchor.
 *
 * `keyFor` throws `status_signer_certificate` for a token without `x5c` or with a leaf for another host, and the
 * `certificate_*` and `anchor_not_found` codes of the chain.
 */
export function trustCertificates(options: TrustCertificatesOptions): StatusListTrust {
  const { anchors, signer, extendedKeyUsage } = options
  // By content: a reloaded configuration may put other certificates under the same name.
  const content = digest('sha-256', anchors.certificates.join('\n'))
  return {
    id: `anchors:${content}:${signer}:${extendedKeyUsage ?? ''}`,
    async keyFor(token, { uri, now }) {
      const usage = extendedKeyUsage === undefined ? {} : { extendedKeyUsage }
      const chain = verifyCertificateChain(certificatesOf(token), { anchors, now, ...usage })
      if (signer === 'uri-host' && !namesHost(chain, new URL(uri).hostname)) {
        throw refused('The certificate of the Status List Token names another host than its URI.')
      }
      return chain.leafKey
    },
  }
}

function namesHost(leaf: { dnsNames: readonly string[]; uris: readonly string[] }, host: string): boolean {
  const hosts = leaf.uris.flatMap((uri) => (URL.canParse(uri) ? [new URL(uri).hostname] : []))
  return [...leaf.dnsNames.map((name) => name.toLowerCase()), ...hosts].includes(host)
}

function certificatesOf(token: ParsedJws): readonly string[] {
  const x5c = member(token.header, 'x5c')
  const texts = isJsonArray(x5c) ? x5c.filter((text) => typeof text === 'string') : []
  if (texts.length > 0 && isJsonArray(x5c) && texts.length === x5c.length) return texts
  throw refused('The Status List Token brings no certificate chain in x5c.')
}

const refused = (message: string) => new VerificationError('status_signer_certificate', message)
