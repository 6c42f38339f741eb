/**
 * The trust that counts now, and how another takes its place without a restart.
 *
 * An update is read whole before anything changes; what does not hold leaves the last good trust where it is. Each
 * verification looks once and keeps what it saw to its end. With versions, time goes in one direction: an older
 * trust, put back by whoever can write a file, is refused.
 *
 * Source: threat model, row 10; requirements/verifier.md, VP-V-SDJ-04.
 *
 * @module
 */
import { configurationError, type Log, type OutboundFetch } from '@attache/core'
import { digest, type Signer } from '@attache/keys'
import type { TrustedAttester } from '@attache/oauth'
import { createIssuerTrust, type IssuerTrust, type TrustedIssuer } from './issuer-trust.js'
import { refuseUnsafeAnchors } from './unsafe-anchors.js'

/** A trust to count from now on. */
export interface TrustUpdate {
  /** Whole number that only grows. Once a trust has one, every later one needs a higher one. @default none */
  readonly version?: number | undefined
  readonly trustedIssuers: readonly TrustedIssuer[]
  /** @default those that count now */
  readonly walletAttesters?: readonly TrustedAttester[]
}

/** A trust that counts. */
export interface ActiveTrust {
  /** For log lines: its number, or without one the beginning of a hash of its contents. */
  readonly trustVersion: string
  /** Changes whenever the trust does. */
  readonly trustFingerprint: string
  readonly issuers: IssuerTrust
}

/** The trust of one verifier. */
export interface TrustSource {
  current(): ActiveTrust
  attesters(): readonly TrustedAttester[]
  /**
   * Lets another trust count.
   *
   * @throws {TypeError} `trust_rollback`, `trust_version`, `trust_attesters`, `unsafe_anchor`, or as
   * `createIssuerTrust`. The trust that counted goes on counting.
   */
  reload(update: TrustUpdate): void
}

interface Held extends ActiveTrust {
  readonly version: number | undefined
  readonly attesters: readonly TrustedAttester[]
}

/**
 * Creates the trust of a verifier.
 *
 * @throws {TypeError} As `reload`.
 */
export function createTrustSource(
  first: TrustUpdate & { readonly allowUnsafeAnchors?: boolean },
  deps: { readonly fetch: OutboundFetch; readonly log: Log; readonly signer: Signer },
): TrustSource {
  const { allowUnsafeAnchors = false } = first
  let generation = 0
  const read = (update: TrustUpdate, before: Held | undefined): Held => {
    const attesters = update.walletAttesters ?? before?.attesters ?? []
    refuseUnsafeAnchors({ ...update, walletAttesters: attesters, allowUnsafeAnchors }, deps.signer)
    const contents = digest('sha-256', JSON.stringify([update.trustedIssuers, attesters]))
    generation += 1
    return {
      version: update.version,
      trustVersion: update.version?.toString() ?? contents.slice(0, 12),
      // Counted as well: what an earlier trust of the same contents found out is not this one's.
      trustFingerprint: `${contents}.${generation}`,
      issuers: createIssuerTrust(update.trustedIssuers, deps, before?.issuers),
      attesters,
    }
  }
  requireVersion(first.version)
  let held = read(first, undefined)
  return {
    current: () => held,
    attesters: () => held.attesters,
    reload(update) {
      try {
        requireNewer(update.version, held.version)
        const next = read(update, held)
        if ((next.attesters.length === 0) !== (held.attesters.length === 0)) throw routesAreMade()
        deps.log.info('verifier.trust.reloaded', { trust: next.trustVersion, before: held.trustVersion })
        held = next
      } catch (error) {
        const code = error instanceof TypeError && 'code' in error ? String(error.code) : 'fault'
        deps.log.error('verifier.trust.kept', { trust: held.trustVersion, code })
        throw error
      }
    },
  }
}

function requireVersion(version: number | undefined): void {
  if (version === undefined || (Number.isSafeInteger(version) && version >= 0)) return
  throw configurationError('trust_version', 'The version of a trust is a whole number from 0.')
}

function requireNewer(version: number | undefined, before: number | undefined): void {
  requireVersion(version)
  if (before === undefined || (version !== undefined && version > before)) return
  throw configurationError(
    'trust_rollback',
    `The trust is not newer than version ${before}, which counts now. Give it a higher version.`,
  )
}

function routesAreMade(): TypeError {
  return configurationError(
    'trust_attesters',
    'Whether there are walletAttesters decides which routes exist. Restart to begin or to end with them.',
  )
}
