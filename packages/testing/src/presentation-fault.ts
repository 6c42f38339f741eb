/**
 * Presentations with one thing wrong, each really signed.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type PublicJwk, type Signer } from '@attache/keys'
import { type DcqlSelection, hashTransactionData, type TransactionData } from '@attache/openid4vp'
import { parseHeldSdJwtVc, presentSdJwtVc } from '@attache/sd-jwt'
import { createFakeIssuer, type FakeIssuer, type FakeIssuerOptions } from './fake-issuer.js'

/** What can be wrong with a presentation. */
export const PRESENTATION_FAULTS = {
  expired: 'The credential expired an hour ago.',
  revoked: 'The credential is revoked.',
  suspended: 'The credential is suspended.',
  untrusted_issuer: 'Another issuer under the same name and type made the credential.',
  wrong_audience: 'The presentation was made for another verifier.',
  wrong_nonce: 'The presentation answers another request.',
  foreign_key: 'Another key than the one the credential is bound to signed the presentation.',
  unbound: 'The presentation carries no proof of the key at all.',
  stale: 'The presentation was made an hour ago.',
  other_values: 'The presentation answers a query for certain values with a credential that has others.',
  over_disclosing:
    'The presentation shows every claim, asked for or not. A verifier takes what it asked for.',
} as const

/** One of {@link PRESENTATION_FAULTS}. */
export type PresentationFault = keyof typeof PRESENTATION_FAULTS

const HOUR_SECONDS = 3600

/** What a credential for an agent needs. */
export interface CredentialFacts {
  readonly claims: JsonObject
  readonly holderKey: PublicJwk
  readonly clock: FakeIssuerOptions['clock']
  readonly fault: PresentationFault | undefined
}

/** Makes a credential, sound or with a fault of its own. */
export async function issueWithFault(issuer: FakeIssuer, facts: CredentialFacts): Promise<string> {
  const { fault, clock, claims, holderKey } = facts
  if (fault === 'untrusted_issuer') {
    const impostor = await createFakeIssuer({ clock, vct: issuer.vct, issuer: issuer.issuer })
    return impostor.issue({ claims, holderKey })
  }
  const expiry = fault === 'expired' ? { expiresAt: clock() - HOUR_SECONDS } : {}
  const credential = await issuer.issue({ claims, holderKey, ...expiry })
  if (fault === 'revoked') issuer.setStatus(credential, 'invalid')
  if (fault === 'suspended') issuer.setStatus(credential, 'suspended')
  return credential
}

/** What one presentation answers. */
export interface PresentationFacts {
  readonly credential: string
  readonly selection: DcqlSelection
  readonly holder: Signer
  readonly audience: string
  readonly nonce: string
  readonly now: number
  /** What the holder agrees to with this presentation. */
  readonly transactionData: readonly TransactionData[]
  readonly fault: PresentationFault | undefined
}

/** Makes a presentation, sound or with a fault of its own. */
export function presentWithFault(facts: PresentationFacts): Promise<string> {
  const { fault, holder, transactionData } = facts
  const held = parseHeldSdJwtVc(facts.credential)
  const disclose =
    fault === 'over_disclosing' ? held.disclosable.map(({ path }) => path) : facts.selection.paths
  if (fault === 'unbound') return presentSdJwtVc(held, { disclose, keyBinding: 'none' })
  return presentSdJwtVc(held, {
    disclose,
    keyBinding: {
      signer: fault === 'foreign_key' ? foreignSigner(holder) : holder,
      audience: fault === 'wrong_audience' ? 'x509_hash:another-verifier' : facts.audience,
      nonce: fault === 'wrong_nonce' ? 'nonce-of-another-request' : facts.nonce,
      issuedAt: fault === 'stale' ? facts.now - HOUR_SECONDS : facts.now,
      members: statementOf(transactionData),
    },
  })
}

function statementOf(entries: readonly TransactionData[]): JsonObject {
  if (entries.length === 0) return {}
  const hashes = entries.map(({ text }) => hashTransactionData(text, 'sha-256'))
  const named = entries.some(({ hashAlgorithms }) => hashAlgorithms !== undefined)
  return {
    transaction_data_hashes: hashes,
    ...(named ? { transaction_data_hashes_alg: 'sha-256' } : {}),
  }
}

// Says it is the holder's key, and is not.
function foreignSigner(holder: Signer): Signer {
  const other = createSoftwareSigner(generatePrivateJwk('ES256'))
  return { alg: holder.alg, publicJwk: holder.publicJwk, kid: holder.kid, sign: other.sign }
}
