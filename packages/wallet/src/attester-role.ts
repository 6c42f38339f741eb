/**
 * The attester as a role: vouches for wallet instances it knows by their workload identity token, so that a wallet
 * needs no static secret to be a client.
 *
 * Owns its two routes and their composition: a challenge for anyone (sealed, nothing written), an attestation for
 * whoever shows a workload token, an instance key and the right to be what it asks for. Whatever is wrong, the
 * answer is the same; the log has the check. No token, no claim value and no key is ever logged.
 *
 * Source: attestation-based client authentication -11, sections 4, 6.3 and 10.
 *
 * @module
 */
import type { AuditTrail } from '@attache/audit'
import {
  type Clock,
  endpoint,
  json,
  type Log,
  NO_STORE,
  type OutboundFetch,
  type Random,
  type Route,
  readJson,
  type Store,
  VerificationError,
} from '@attache/core'
import { requireOwnChain, type Seal, type Signer } from '@attache/keys'
import { createChallengeResponse, createServerNonces } from '@attache/oauth'
import { ATTESTER_ERRORS, attestationRefused } from './attester-errors.js'
import {
  attesterUrls,
  createAttestationAnswer,
  MAX_ATTESTATION_REQUEST_BYTES,
  parseAttestationRequest,
} from './attester-messages.js'
import { type AttesterOptions, checkAttesterOptions } from './attester-options.js'
import { type VouchingDeps, vouch } from './attester-vouching.js'
import { createWorkloadTokens } from './workload-token.js'

/** What an attester works with. */
export interface AttesterDeps {
  /** Key of the attester with its chain, leaf first, without the anchor: what issuers and verifiers trust. */
  readonly signer: Signer
  /** Remembers spent challenges. It is to live at least as long as what `seal` opens. */
  readonly store: Pick<Store, 'commit'>
  /** Seals challenges; several processes of one attester share its keys, and the store. */
  readonly seal: Seal
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where it is written down who was vouched for; `createAuditTrail` makes one. @default nowhere but the log */
  readonly audit?: Pick<AuditTrail, 'append'>
}

/** An attester. */
export interface AttesterRole {
  readonly routes: readonly Route[]
}

/** How long keys serve while their issuer does not answer and so cannot take one back, in seconds. */
const DEFAULT_STALE_SECONDS = 3600

/**
 * Makes an attester.
 *
 * @throws {TypeError} `attester_options_invalid`; the codes of `requireOwnChain` for a chain that nobody would accept.
 */
export function createAttester(given: AttesterOptions, deps: AttesterDeps): AttesterRole {
  const options = checkAttesterOptions(given)
  const { signer, store, random, clock, log, audit } = deps
  if (signer.x5c !== undefined) requireOwnChain(signer.x5c, signer.publicJwk)
  const challenges = createServerNonces(
    {
      use: 'attestation-challenge',
      server: options.attester,
      lifetimeSeconds: options.challengeSeconds ?? 60,
    },
    deps,
  )
  const cache = { maxStaleSeconds: DEFAULT_STALE_SECONDS, ...options.keyCache }
  const tokens = createWorkloadTokens({ issuers: options.tokenIssuers, cache }, deps)
  const vouching: VouchingDeps = { options, challenges, tokens, store, signer, audit }
  const urls = attesterUrls(options.attester)
  const shell = { statuses: ATTESTER_ERRORS, log, random }

  const challenge = endpoint(
    async () => {
      const { body, headers } = createChallengeResponse({ challenges }, clock())
      return json(200, body, headers)
    },
    { ...shell, event: 'attester.challenge' },
  )
  const attestation = endpoint(
    async (request) => {
      const now = clock()
      const body = parseAttestationRequest(
        await readJson(request, { maxBytes: MAX_ATTESTATION_REQUEST_BYTES }),
      )
      const vouched = await refusing(() => vouch(body, vouching, now))
      const { rule, clientId, instanceJkt, expiresAt } = vouched
      log.info('attester.vouched', {
        rule,
        client_id: clientId,
        instance: instanceJkt,
        expires_at: expiresAt,
      })
      return json(200, createAttestationAnswer(vouched.attestation), NO_STORE)
    },
    { ...shell, event: 'attester.attestation' },
  )
  return {
    routes: [
      { method: 'POST', path: new URL(urls.challenge).pathname, handle: challenge },
      { method: 'POST', path: new URL(urls.attestation).pathname, handle: attestation },
    ],
  }
}

/** Turns whatever check failed into the one refusal; a fault stays a fault. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof VerificationError) throw attestationRefused(error)
    throw error
  }
}
