/**
 * An issuer in memory: makes role credentials with any claims, and answers for their status.
 *
 * Makes what an issuer of ours would make, without offers, tokens or a network; the issuing protocol is not its
 * matter. Its keys are marked unsafe.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  type JsonObject,
  type NumericDate,
  type OutboundFetch,
  type Random,
  systemRandom,
  VerificationError,
} from '@attache/core'
import { createAnchors, type PublicJwk, parseJws, type Signer } from '@attache/keys'
import { createClientAttestation, type TrustedAttester } from '@attache/oauth'
import { issueSdJwtVc } from '@attache/sd-jwt'
import {
  createStatusList,
  createStatusListToken,
  parseStatusReference,
  STATUS_LIST_MEDIA_TYPE,
  STATUS_VALUES,
  statusClaim,
  writeStatus,
} from '@attache/status-list'
import type { TrustedIssuer } from '@attache/verifier'
import { createUnsafeAuthority } from './unsafe-authority.js'

/** What a fake issuer is to be. */
export interface FakeIssuerOptions {
  /** Reads the time of the test. */
  readonly clock: Clock
  /** Credential type it issues. */
  readonly vct: string
  /** Its `iss`. @default `https://issuer.example` */
  readonly issuer?: string
  /** How long a verifier may use a copy of the status list, in seconds. @default 1 */
  readonly statusTtlSeconds?: number
}

/** One credential to make. */
export interface FakeCredential {
  /** What it says, beside `iss`, `vct`, times and status; each claim can be withheld. */
  readonly claims: JsonObject
  /** The key it is bound to. */
  readonly holderKey: PublicJwk
  /** @default in a day */
  readonly expiresAt?: NumericDate
}

/** An issuer in memory. */
export interface FakeIssuer {
  readonly issuer: string
  readonly vct: string
  /** For `trustedIssuers` of a verifier under test. */
  readonly trustedIssuer: TrustedIssuer
  /** For `walletAttesters` of a verifier under test: its authority vouches for fake wallets as well. */
  readonly trustedAttester: TrustedAttester
  /** For the `fetch` of a verifier under test: serves the status list, and nothing else. */
  readonly fetch: OutboundFetch
  /** Makes a signer with a certificate that names a host, for the verifier under test. */
  createSigner(host: string): Promise<Signer>
  /** Makes a credential. */
  issue(credential: FakeCredential): Promise<string>
  /** Sets the status of one of its credentials; felt once a verifier's copy of the list is out of date. */
  setStatus(credential: string, status: 'valid' | 'invalid' | 'suspended'): void
  /** Attests a wallet instance. */
  attest(clientId: string, instanceKey: PublicJwk): Promise<string>
}

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3600
const LIST_SIZE = 1024
const BITS = 2

/**
 * Creates a fake issuer.
 *
 * @throws {TypeError} `fake_issuer_full` when more than 1024 credentials are issued.
 */
export async function createFakeIssuer(
  options: FakeIssuerOptions,
  deps: { readonly random: Random } = { random: systemRandom },
): Promise<FakeIssuer> {
  const { clock, vct, issuer = 'https://issuer.example' } = options
  const authority = await createUnsafeAuthority(clock(), deps)
  const signer = await authority.createSigner(new URL(issuer).hostname)
  const attester = await authority.createSigner('attester.example')
  const status = createFakeStatus(`${new URL(issuer).origin}/status/1`, options, signer)
  return {
    issuer,
    vct,
    trustedIssuer: { vct, anchors: [authority.pem], issuer },
    trustedAttester: {
      name: 'fake wallets',
      anchors: createAnchors('fake wallets', [authority.pem]),
      clients: 'any',
    },
    fetch: status.fetch,
    createSigner: authority.createSigner,
    issue({ claims, holderKey, expiresAt = clock() + DAY_SECONDS }) {
      const times = { iat: Math.min(clock(), expiresAt) - DAY_SECONDS, exp: expiresAt }
      const content = { ...claims, ...times, iss: issuer, vct, status: status.next() }
      const disclosable = Object.keys(claims).map((name) => [name] as const)
      return issueSdJwtVc({ claims: content, disclosable, holderKey }, { signer, ...deps })
    },
    setStatus: status.set,
    attest: (clientId, instanceKey) =>
      createClientAttestation(
        { clientId, instanceKey, expiresAt: clock() + HOUR_SECONDS },
        attester,
        clock(),
      ),
  }
}

function createFakeStatus(uri: string, options: FakeIssuerOptions, signer: Signer) {
  const { clock, statusTtlSeconds = 1 } = options
  const list = createStatusList(LIST_SIZE, BITS)
  let used = 0
  const fetch: OutboundFetch = async (url) => {
    if (url !== uri) throw new VerificationError('fetch_failed', 'Only the status list is served here.')
    const now = clock()
    const token = { uri, iat: now, exp: now + DAY_SECONDS, ttl: statusTtlSeconds, list }
    const headers = { 'Content-Type': STATUS_LIST_MEDIA_TYPE }
    return new Response(await createStatusListToken(token, signer), { headers })
  }
  return {
    fetch,
    next() {
      if (used === LIST_SIZE) {
        throw configurationError('fake_issuer_full', 'A fake issuer has 1024 credentials. Create another.')
      }
      used += 1
      return statusClaim({ idx: used - 1, uri })
    },
    set(credential: string, status: 'valid' | 'invalid' | 'suspended') {
      const [issuerJwt = ''] = credential.split('~')
      const reference = parseStatusReference(parseJws(issuerJwt).payload['status'] ?? null)
      writeStatus(list, reference.idx, STATUS_VALUES[status])
    },
  }
}
