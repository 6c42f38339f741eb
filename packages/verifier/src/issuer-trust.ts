/**
 * Whose credentials count, per credential type.
 *
 * Nobody is trusted by default, no key from a credential's own header counts without an anchor, and a
 * credential's `iss` never chooses the mechanism: the configuration for its type does.
 *
 * Source: SD-JWT VC, sections 2.5 and 6 (issuer key discovery); HAIP 1.0, section 6.1.1.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'
import {
  createAnchors,
  digest,
  jwkThumbprint,
  type PublicJwk,
  parseX5c,
  type TrustAnchors,
  verifyCertificateChain,
} from '@attache/keys'
import type { IssuerFacts, IssuerKeyResolver, ResolvedIssuerKey } from '@attache/sd-jwt'
import { type StatusListTrust, trustCertificates, trustKey } from '@attache/status-list'

/** One trusted source of one or more credential types. */
export interface TrustedIssuer {
  /** Credential types this issuer may issue; compared character by character. */
  readonly vct: string | readonly string[]
  /** Accepted by a certificate chain that ends at one of these certificates (PEM). */
  readonly anchors?: readonly string[] | undefined
  /** Accepted by one of these keys; needs `issuer`. */
  readonly keys?: readonly PublicJwk[] | undefined
  /** The `iss` these credentials carry. With `anchors`: a credential with another `iss` is refused. */
  readonly issuer?: string | undefined
  /** Certificates (PEM) that vouch for signers of its status lists. @default `anchors` */
  readonly statusAnchors?: readonly string[] | undefined
  /** With `anchors`: the leaf must name `iss` as URI or its host as DNS name. @default false */
  readonly requireIssBinding?: boolean | undefined
}

/** The trust of one verifier. */
export interface IssuerTrust {
  /** Finds the key of a credential's issuer. */
  readonly resolve: IssuerKeyResolver
  /** What else is known of an answer of `resolve`. */
  factsOf(resolved: ResolvedIssuerKey): IssuerTrustFacts
  /** Whose signature counts on status lists under a rule; nothing when the rule is gone. */
  statusTrust(ruleId: string): StatusListTrust | undefined
}

/** How an issuer was found. */
export interface IssuerTrustFacts {
  /** Name of the rule that vouched: a hash of its contents, the same after a restart. */
  readonly ruleId: string
  /** `aki` values of the certificate chain; none for keys without a chain. */
  readonly authorityKeyIds: readonly string[]
}

interface Rule {
  readonly id: string
  readonly statusTrust: StatusListTrust
  readonly types: readonly string[]
  readonly issuer: string | undefined
  readonly anchors: TrustAnchors | undefined
  readonly keys: readonly PublicJwk[]
  readonly requireIssBinding: boolean
}

/**
 * Creates the trust of a verifier.
 *
 * @param issuers Tried in their order; the refusal names what each lacked in its cause.
 * @throws {TypeError} `trusted_issuers_empty`, `trusted_issuer_malformed`, `anchor_malformed`.
 *
 * Source: SD-JWT VC, section 2.5.
 */
export function createIssuerTrust(issuers: readonly TrustedIssuer[]): IssuerTrust {
  if (issuers.length === 0) {
    throw configurationError(
      'trusted_issuers_empty',
      'Name at least one trusted issuer; nobody is by default.',
    )
  }
  const rules = issuers.map(readRule)
  // Beside the answers themselves: a cached answer keeps its facts, a dropped one takes them along.
  const found = new WeakMap<ResolvedIssuerKey, IssuerTrustFacts>()
  const resolve: IssuerKeyResolver = async (facts) => {
    const causes: unknown[] = []
    for (const rule of rules) {
      if (facts.vct === undefined || !rule.types.includes(facts.vct)) continue
      try {
        const { resolved, authorityKeyIds } = resolveByRule(rule, facts)
        found.set(resolved, { ruleId: rule.id, authorityKeyIds })
        return resolved
      } catch (cause) {
        causes.push(cause)
      }
    }
    throw new VerificationError('issuer_untrusted', 'No configured trust covers this issuer for this type.', {
      cause: causes[0] ?? new VerificationError('vct_not_configured', 'No trusted issuer issues this type.'),
    })
  }
  return {
    resolve,
    factsOf: (resolved) => found.get(resolved) ?? { ruleId: '', authorityKeyIds: [] },
    statusTrust: (ruleId) => rules.find(({ id }) => id === ruleId)?.statusTrust,
  }
}

function readRule(issuer: TrustedIssuer, position: number): Rule {
  const types = typeof issuer.vct === 'string' ? [issuer.vct] : issuer.vct
  const anchors = issuer.anchors ?? []
  const keys = issuer.keys ?? []
  const byKeys = keys.length > 0
  if (
    types.length === 0 ||
    types.includes('') ||
    byKeys === anchors.length > 0 ||
    (byKeys && !issuer.issuer)
  ) {
    throw configurationError(
      'trusted_issuer_malformed',
      `trustedIssuers[${position}] needs a vct and either anchors or keys with an issuer.`,
    )
  }
  return {
    id: digest('sha-256', JSON.stringify(issuer)),
    types,
    issuer: issuer.issuer,
    anchors: byKeys ? undefined : createAnchors(`trustedIssuers[${position}].anchors`, anchors),
    keys,
    statusTrust: readStatusTrust(issuer, position),
    requireIssBinding: issuer.requireIssBinding ?? false,
  }
}

// A list's signer must be named for the list's host: under a shared anchor nobody speaks for another.
function readStatusTrust(issuer: TrustedIssuer, position: number): StatusListTrust {
  const [key] = issuer.keys ?? []
  const pem = issuer.statusAnchors ?? issuer.anchors
  if (pem === undefined && key !== undefined) return trustKey(key)
  const anchors = createAnchors(`trustedIssuers[${position}].statusAnchors`, pem ?? [])
  return trustCertificates({ anchors, signer: 'uri-host' })
}

interface Resolution {
  readonly resolved: ResolvedIssuerKey
  readonly authorityKeyIds: readonly string[]
}

function resolveByRule(rule: Rule, facts: IssuerFacts): Resolution {
  if (rule.anchors === undefined) return { resolved: resolveByKey(rule, facts), authorityKeyIds: [] }
  const x5c = parseX5c(facts.header['x5c'])
  if (x5c === undefined) throw untrusted('The credential carries no certificate chain.')
  const chain = verifyCertificateChain(x5c, { anchors: rule.anchors, now: facts.now })
  const bound = facts.issuer !== undefined && isBound(facts.issuer, chain)
  if (rule.issuer !== undefined && facts.issuer !== rule.issuer) {
    throw untrusted('The certificate belongs to another issuer than the one named.')
  }
  if (rule.requireIssBinding && !bound) throw untrusted('The certificate does not name the issuer.')
  // An unbound iss is only a claim: the certificate's subject is who was shown (requirements, D14).
  const issuer =
    facts.issuer !== undefined && (bound || rule.issuer !== undefined) ? facts.issuer : chain.subject
  const resolved = { key: chain.leafKey, issuer, validUntil: chain.notAfter }
  return { resolved, authorityKeyIds: chain.authorityKeyIds }
}

function isBound(
  issuer: string,
  chain: { readonly dnsNames: readonly string[]; readonly uris: readonly string[] },
) {
  if (chain.uris.includes(issuer)) return true
  return URL.canParse(issuer) && chain.dnsNames.includes(new URL(issuer).hostname)
}

function resolveByKey(rule: Rule, facts: IssuerFacts): ResolvedIssuerKey {
  if (facts.issuer === undefined || facts.issuer !== rule.issuer) throw untrusted('Another issuer is named.')
  const kid = facts.header['kid']
  const key =
    kid === undefined && rule.keys.length === 1
      ? rule.keys[0]
      : rule.keys.find((candidate) => kid === (candidate.kid ?? jwkThumbprint(candidate)))
  if (key === undefined) throw untrusted('The kid names no configured key of this issuer.')
  return { key, issuer: facts.issuer }
}

function untrusted(message: string): VerificationError {
  return new VerificationError('issuer_untrusted', message)
}
