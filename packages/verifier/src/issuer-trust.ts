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
import { configurationError, type Log, type OutboundFetch, VerificationError } from '@attache/core'
import {
  bareJwk,
  createAnchors,
  createIssuerKeys,
  digest,
  type IssuerKeys,
  jwkThumbprint,
  type IssuerTrust as KeyTrust,
  type ParsedJws,
  type PublicJwk,
  parseAlgorithms,
  verifyJws,
} from '@attache/keys'
import type { IssuerFacts, IssuerKeyResolver, ResolvedIssuerKey } from '@attache/sd-jwt'
import { type StatusListTrust, trustCertificates, trustKey } from '@attache/status-list'
import { createDidIssuerKeys, type DidIssuerKeys, isConfigurableDid } from './did-issuer.js'

/** One trusted source of one or more credential types. */
export interface TrustedIssuer {
  /** Credential types this issuer may issue; compared character by character. */
  readonly vct: string | readonly string[]
  /** Accepted by a certificate chain that ends at one of these certificates (PEM). */
  readonly anchors?: readonly string[] | undefined
  /** Accepted by one of these keys; needs `issuer`. */
  readonly keys?: readonly PublicJwk[] | undefined
  /**
   * Accepted by a key that is found: in this JWKS, in the issuer's own metadata, or in the DID that `issuer` is
   * (`did:jwk`, `did:web`); needs `issuer`.
   */
  readonly discovery?: { readonly jwksUri: string } | 'jwt-vc-issuer' | 'did' | undefined
  /** The `iss` these credentials carry. With `anchors`: a credential with another `iss` is refused. */
  readonly issuer?: string | undefined
  /** Certificates (PEM) that vouch for signers of its status lists. @default whoever vouches for its credentials */
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
  /** For a trust that takes this one's place: the rule that stood there unchanged, with the keys it has fetched. */
  ruleAt(position: number, id: string): TrustRule | undefined
}

/** How an issuer was found. */
export interface IssuerTrustFacts {
  /** Name of the rule that vouched: a hash of its contents, the same after a restart. */
  readonly ruleId: string
  /** `aki` values of the certificate chain; none for keys without a chain. */
  readonly authorityKeyIds: readonly string[]
}

/** Finds keys for one rule. */
type RuleKeys = IssuerKeys | DidIssuerKeys

/** One trusted issuer, read. */
export interface TrustRule {
  /** A hash of its contents, the same after a restart. */
  readonly id: string
  readonly types: readonly string[]
  readonly keys: RuleKeys
  readonly statusTrust: StatusListTrust
}

/**
 * Creates the trust of a verifier.
 *
 * @param issuers Tried in their order; the refusal says in its cause what each lacked.
 * @param before Whose place this trust takes: keys that unchanged issuers have shown stay known.
 * @throws {TypeError} `trusted_issuers_empty`, `trusted_issuer_malformed`, `anchor_malformed`.
 *
 * Source: SD-JWT VC, section 2.5.
 */
export function createIssuerTrust(
  issuers: readonly TrustedIssuer[],
  deps: { readonly fetch: OutboundFetch; readonly log: Log },
  before?: IssuerTrust,
): IssuerTrust {
  if (issuers.length === 0) {
    throw configurationError(
      'trusted_issuers_empty',
      'Name at least one trusted issuer; nobody is by default.',
    )
  }
  const rules = issuers.map((issuer, position) => {
    const id = digest('sha-256', JSON.stringify(issuer))
    return before?.ruleAt(position, id) ?? readRule(issuer, { position, id }, deps)
  })
  // Beside the answers themselves: a cached answer keeps its facts, a dropped one takes them along.
  const found = new WeakMap<ResolvedIssuerKey, IssuerTrustFacts>()
  const resolve: IssuerKeyResolver = async (facts) => {
    const causes: unknown[] = []
    for (const [position, rule] of rules.entries()) {
      if (facts.vct === undefined || !rule.types.includes(facts.vct)) continue
      try {
        const { resolved, authorityKeyIds } = await resolveByRule(rule, facts)
        found.set(resolved, { ruleId: rule.id, authorityKeyIds })
        return resolved
      } catch (cause) {
        causes.push(lackedBy(position, cause))
      }
    }
    throw new VerificationError('issuer_untrusted', 'No configured trust covers this issuer for this type.', {
      cause: causeOf(causes),
    })
  }
  return {
    resolve,
    factsOf: (resolved) => found.get(resolved) ?? { ruleId: '', authorityKeyIds: [] },
    statusTrust: (ruleId) => rules.find(({ id }) => id === ruleId)?.statusTrust,
    ruleAt: (position, id) => (rules[position]?.id === id ? rules[position] : undefined),
  }
}

function lackedBy(position: number, cause: unknown): unknown {
  if (!(cause instanceof VerificationError)) return cause
  return new VerificationError(cause.code, `trustedIssuers[${position}]: ${cause.message}`, {
    cause: cause.cause,
  })
}

function causeOf(causes: readonly unknown[]): unknown {
  if (causes.length > 1) return new AggregateError(causes, 'Every trusted issuer of this type was tried.')
  return (
    causes[0] ?? new VerificationError('vct_not_configured', 'No entry of trustedIssuers issues this type.')
  )
}

function readRule(
  issuer: TrustedIssuer,
  { position, id }: { readonly position: number; readonly id: string },
  deps: { readonly fetch: OutboundFetch; readonly log: Log },
): TrustRule {
  const types = typeof issuer.vct === 'string' ? [issuer.vct] : issuer.vct
  const keys = readKeys(issuer, position, deps)
  if (types.length === 0 || types.includes('') || keys === undefined) {
    throw configurationError(
      'trusted_issuer_malformed',
      `trustedIssuers[${position}] needs a vct and one of anchors, keys or discovery; the last two need an issuer.`,
    )
  }
  return { id, types, keys, statusTrust: readStatusTrust(issuer, position, { id, issuerKeys: keys }) }
}

function readKeys(
  issuer: TrustedIssuer,
  position: number,
  deps: { readonly fetch: OutboundFetch; readonly log: Log },
): RuleKeys | undefined {
  if (issuer.discovery === 'did') {
    const { anchors = [], keys = [], issuer: did = '' } = issuer
    const usable = anchors.length === 0 && keys.length === 0 && isConfigurableDid(did)
    return usable ? createDidIssuerKeys(did, deps) : undefined
  }
  const trust = readTrust(issuer, position)
  if (trust === undefined) return undefined
  const binding = { requireIssBinding: issuer.requireIssBinding ?? false }
  const options =
    issuer.issuer === undefined && trust.mechanism === 'x5c'
      ? { x5c: { ...trust, ...binding } }
      : { issuers: { [issuer.issuer ?? '']: trust } }
  return createIssuerKeys(options, deps)
}

function readTrust(issuer: TrustedIssuer, position: number): KeyTrust | undefined {
  const { anchors = [], keys = [], discovery } = issuer
  const ways = [anchors.length > 0, keys.length > 0, discovery !== undefined].filter(Boolean)
  if (ways.length !== 1 || (anchors.length === 0 && issuer.issuer === undefined)) return undefined
  if (anchors.length > 0) {
    return { mechanism: 'x5c', anchors: createAnchors(`trustedIssuers[${position}].anchors`, anchors) }
  }
  if (discovery === 'jwt-vc-issuer') return { mechanism: 'jwt-vc-issuer' }
  if (discovery === 'did') return undefined
  if (discovery !== undefined) return { mechanism: 'jwks_uri', uri: discovery.jwksUri }
  return { mechanism: 'jwks', jwks: { keys: keys.map((key) => ({ ...bareJwk(key), ...kidOf(key) })) } }
}

function kidOf({ kid }: PublicJwk): { readonly kid?: string } {
  return kid === undefined ? {} : { kid }
}

// A list's signer must be named for the list's host: under a shared anchor nobody speaks for another.
function readStatusTrust(
  { anchors, statusAnchors, keys = [], issuer }: TrustedIssuer,
  position: number,
  { id, issuerKeys }: { readonly id: string; readonly issuerKeys: RuleKeys },
): StatusListTrust {
  const pem = statusAnchors ?? anchors
  if (pem !== undefined) {
    const list = createAnchors(`trustedIssuers[${position}].statusAnchors`, pem)
    return trustCertificates({ anchors: list, signer: 'uri-host' })
  }
  const [only, ...more] = keys
  if (only !== undefined) return more.length === 0 ? trustKey(only) : trustKeys([only, ...more])
  // The issuer signs its own lists: with one of the keys that are fetched for its credentials.
  return {
    id: `issuer:${id}`,
    async keyFor({ header: { kid, alg } }, { now }) {
      const header = { ...(alg === undefined ? {} : { alg }), ...(kid === undefined ? {} : { kid }) }
      return (await issuerKeys.resolve({ header, issuer, now })).key
    },
  }
}

const ANY_ALGORITHM = parseAlgorithms([
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
])

// While keys change, lists of the old and of the new one are in use. The resolver verifies with whatever is found
// here, and holds type and algorithm against its own rules.
function trustKeys(keys: readonly [PublicJwk, ...PublicJwk[]]): StatusListTrust {
  return {
    id: `keys:${keys.map(jwkThumbprint).join(' ')}`,
    keyFor: async (token) => keys.find((key) => isSignedBy(token, key)) ?? keys[0],
  }
}

function isSignedBy(token: ParsedJws, key: PublicJwk): boolean {
  const { typ } = token.header
  try {
    verifyJws(token, { typ: typeof typ === 'string' ? typ : '', algorithms: ANY_ALGORITHM, key })
    return true
  } catch {
    return false
  }
}

type ResolvedKey = Awaited<ReturnType<IssuerKeys['resolve']>>

interface Resolution {
  readonly resolved: ResolvedIssuerKey
  readonly authorityKeyIds: readonly string[]
}

async function resolveByRule(rule: TrustRule, { header, issuer, now }: IssuerFacts): Promise<Resolution> {
  const found: Partial<ResolvedKey> & Pick<ResolvedKey, 'key'> = await rule.keys.resolve({
    header,
    issuer,
    now,
  })
  // An unbound iss is only a claim: the certificate's subject is who was shown (requirements, D14).
  const shown = found.issuer ?? found.chain?.subject ?? ''
  const until = found.chain === undefined ? {} : { validUntil: found.chain.notAfter }
  return {
    resolved: { key: found.key, issuer: shown, ...until },
    authorityKeyIds: found.chain?.authorityKeyIds ?? [],
  }
}
