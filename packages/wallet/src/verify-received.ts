/**
 * Judging what an issuer sent, before anything of it is kept.
 *
 * Owns the checks on receipt: the whole SD-JWT VC, the signer's chain to this issuer's anchors, the offered
 * type, the binding to a key proven in this very request, the claims that must be there, the status. Copies
 * are matched to keys by `cnf`, never by position; one bad copy makes the whole issuance a failure.
 *
 * Source: OpenID4VCI 1.0, sections 8.3, 11.1 and 14.6; SD-JWT VC, section 2.4; RFC 9901, section 7.1.
 *
 * @module
 */
import {
  member,
  type NumericDate,
  type Random,
  randomId,
  selectByPath,
  VerificationError,
} from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import {
  jwkThumbprint,
  parseX5c,
  type Signer,
  type VerifiedChain,
  verifyCertificateChain,
} from '@attache/keys'
import { type VerifiedSdJwtVc, verifySdJwtVc } from '@attache/sd-jwt'
import { abort, abortWith, type IssuanceAbort } from './abort.js'
import type { CredentialCopy } from './held-credential.js'
import type { OwnStatus } from './own-status.js'
import type { IssuancePlan, WantedConfiguration } from './plan-issuance.js'

/** The keys of one request: the reference in the vault, and the signer. */
export interface ProvenKey {
  readonly ref: string
  readonly signer: Signer
}

/** What came, for what. */
export interface ReceivedFacts {
  readonly plan: IssuancePlan
  readonly wanted: WantedConfiguration
  readonly credentials: readonly string[]
  readonly keys: readonly ProvenKey[]
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
}

/** Copies that held, and what they have in common. */
export interface ReceivedCopies {
  readonly copies: readonly CredentialCopy[]
  readonly authorityKeyIds: readonly string[]
  readonly expiresAt?: NumericDate | undefined
  readonly state: 'active' | 'unverified'
  /** When a status list said `active`. */
  readonly lookedAt?: NumericDate
  /** The `iss` in the credential is another identifier than the issuer's. */
  readonly claimedIssuerDiffers: boolean
}

/**
 * Verifies everything that came with one response.
 *
 * @throws {VerificationError} `verification`, `wrong_type`, `untrusted_credential`, `binding`, `missing_claim`,
 *   `status`, `response`: nothing of it may be kept.
 */
export async function verifyReceived(
  facts: ReceivedFacts,
  deps: { readonly status: OwnStatus; readonly random: Random },
): Promise<ReceivedCopies> {
  const bound = facts.wanted.configuration.proofTypes !== undefined
  const most = bound ? facts.keys.length : 1
  if (facts.credentials.length > most) throw abort('response')

  const open = new Map(facts.keys.map((key) => [key.signer.kid, key]))
  const received: { copy: CredentialCopy; verified: VerifiedSdJwtVc; chain: VerifiedChain }[] = []
  for (const credential of facts.credentials) {
    const { verified, chain } = await verifyOne(credential, facts)
    const keyRef = bound ? takeKey(verified, open) : undefined
    const { status } = verified
    const place =
      status?.mechanism === 'status_list' ? { status: { uri: status.uri, index: status.idx } } : {}
    const copy = { id: randomId(deps.random, 'cpy'), credential, keyRef, claims: verified.claims, ...place }
    received.push({ copy, verified, chain })
  }

  const copies = received.map(({ copy }) => copy)
  const state = await deps.status.stateOf(
    { credentialIssuer: facts.plan.issuer.credentialIssuer, copies },
    facts.now,
  )
  if (state === 'revoked' || state === 'suspended') throw abort('status')
  const ends = received.flatMap(({ verified }) => verified.expiresAt ?? [])
  return {
    copies,
    authorityKeyIds: received[0]?.chain.authorityKeyIds ?? [],
    expiresAt: ends.length === 0 ? undefined : Math.min(...ends),
    state: state === 'active' ? 'active' : 'unverified',
    ...(state === 'active' && copies.some(({ status }) => status !== undefined)
      ? { lookedAt: facts.now }
      : {}),
    claimedIssuerDiffers: received.some(({ verified, chain }) => differs(verified, chain, facts)),
  }
}

async function verifyOne(credential: string, facts: ReceivedFacts) {
  const { anchors, requiredClaims = [] } = facts.plan.issuer
  let chain: VerifiedChain | undefined
  const verified = await abortWith(abortOf, () =>
    verifySdJwtVc(credential, {
      acceptedTypes: [facts.wanted.configuration.vct],
      algorithms: facts.algorithms,
      // A wallet gets a credential, not a presentation; an audience the issuer states is not the wallet.
      keyBinding: 'not-required',
      credentialAudience: 'any',
      requiredClaims,
      now: facts.now,
      resolveIssuerKey: async ({ header, now }) => {
        const x5c = parseX5c(member(header, 'x5c'))
        if (x5c === undefined)
          throw new VerificationError('certificate_missing', 'The credential has no x5c.')
        chain = verifyCertificateChain(x5c, { anchors, now })
        return { key: chain.leafKey, issuer: chain.subject, validUntil: chain.notAfter }
      },
    }),
  )
  if (chain === undefined || verified.vct !== facts.wanted.configuration.vct) throw abort('wrong_type')
  for (const { path, mandatory } of facts.wanted.configuration.claims ?? []) {
    if (mandatory && (selectByPath(verified.claims, path) ?? []).length === 0) throw abort('missing_claim')
  }
  if (facts.plan.issuer.claimedIssuer === 'refuse' && differs(verified, chain, facts))
    throw abort('untrusted_credential')
  return { verified, chain }
}

/** The abort for a code of the engine, or of the chain. */
function abortOf({ code }: { readonly code: string }): IssuanceAbort {
  if (code === 'vct_not_accepted' || code === 'vct_malformed') return 'wrong_type'
  if (code === 'claim_required') return 'missing_claim'
  if (code.startsWith('certificate_') || code === 'anchor_not_found' || code === 'issuer_not_trusted')
    return 'untrusted_credential'
  return 'verification'
}

// Compared by thumbprint; each key binds one copy.
function takeKey(verified: VerifiedSdJwtVc, open: Map<string, ProvenKey>): string {
  const thumbprint = verified.holderKey && jwkThumbprint(verified.holderKey)
  const key = thumbprint === undefined ? undefined : open.get(thumbprint)
  if (thumbprint === undefined || key === undefined) throw abort('binding')
  open.delete(thumbprint)
  return key.ref
}

function differs(verified: VerifiedSdJwtVc, chain: VerifiedChain, facts: ReceivedFacts): boolean {
  const { claimedIssuer } = verified
  const { credentialIssuer } = facts.plan.issuer
  if (claimedIssuer === undefined || claimedIssuer === credentialIssuer) return false
  return (
    !chain.uris.includes(claimedIssuer) && !chain.dnsNames.some((name) => claimedIssuer === `https://${name}`)
  )
}
