/**
 * The attester port, and the built-in wallet provider behind it.
 *
 * Owns who vouches for a wallet instance: a component that is asked for an attestation over a key, per
 * authorization server. The built-in provider signs with a key from the configuration; `attester-client.ts` asks a
 * service that knows the workload. Neither learns which credential is fetched, nor where.
 *
 * Source: OpenID4VCI 1.0, Appendix E; HAIP 1.0, section 4.4.1; attestation-based client authentication -11.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { PublicJwk, Signer } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
import { createKeyAttestation } from '@attache/openid4vci'

/** An attestation, and until when it counts. */
export interface Attestation {
  readonly jwt: string
  readonly expiresAt: NumericDate
}

/** Whom to vouch for. */
export interface AttestationRequestFacts {
  /** The client, the same for all instances of a wallet. */
  readonly clientId: string
  /** The agent the instance works for; for the attester's rules, never for the attestation. */
  readonly agent: string
  /** Key of this instance at one authorization server; an attester elsewhere wants to see that it is held. */
  readonly instance: Signer
}

/** Vouches for wallet instances. */
export interface Attester {
  /** Gives an attestation over the public half of the instance key. */
  attest(request: AttestationRequestFacts, now: NumericDate): Promise<Attestation>
  /** What is known about the key store, such as `iso_18045_basic`; stated only when true. */
  readonly keyStorage?: readonly string[]
  /** Vouches for holder keys of one key store; absent where the attester does not know the store. */
  attestKeys?(
    request: { readonly keys: readonly PublicJwk[]; readonly nonce: string | undefined },
    now: NumericDate,
  ): Promise<string>
}

/** Options of the built-in provider. */
export interface WalletProviderOptions {
  /** Identifier of the provider, sent as `iss`; leave out for peers that refuse it. */
  readonly issuer?: string
  /** Lifetime of an attestation, in seconds. @default 3600 */
  readonly lifetimeSeconds?: number
  /** Attack potential resistance of the key store, when it was really assessed. Left out, attestations name none. */
  readonly keyStorage?: readonly string[]
}

/** A key attestation counts for the request it was made for. */
const KEY_ATTESTATION_SECONDS = 300

/**
 * The built-in wallet provider.
 *
 * @param deps.signer Key of the provider with its chain, leaf first, without the anchor.
 *
 * Source: HAIP 1.0, section 4.4.1: nothing in an attestation is unique to one instance but its key.
 */
export function createWalletProvider(
  options: WalletProviderOptions,
  deps: { readonly signer: Signer },
): Attester {
  const lifetimeSeconds = options.lifetimeSeconds ?? 3600
  return {
    async attest({ clientId, instance }, now) {
      const expiresAt = now + lifetimeSeconds
      const statement = { clientId, instanceKey: instance.publicJwk, expiresAt, issuer: options.issuer }
      return { jwt: await createClientAttestation(statement, deps.signer, now), expiresAt }
    },
    keyStorage: options.keyStorage ?? [],
    attestKeys({ keys, nonce }, now) {
      const attestation = { attestedKeys: keys, nonce, keyStorage: options.keyStorage }
      return createKeyAttestation(attestation, deps.signer, { now, expiresAt: now + KEY_ATTESTATION_SECONDS })
    },
  }
}
