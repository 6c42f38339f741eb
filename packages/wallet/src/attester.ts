/**
 * The attester port, and the built-in wallet provider behind it.
 *
 * Owns who vouches for a wallet instance: a component that is asked for an attestation over a key, per
 * authorization server. The built-in provider signs with a key from the configuration; another one may ask a
 * service that knows the workload. Neither learns which credential is fetched.
 *
 * Source: OpenID4VCI 1.0, Appendix E; HAIP 1.0, section 4.4.1; attestation-based client authentication -11.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { PublicJwk, Signer } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'

/** An attestation, and until when it counts. */
export interface Attestation {
  readonly jwt: string
  readonly expiresAt: NumericDate
}

/** Vouches for wallet instances. */
export interface Attester {
  /**
   * @param request.clientId The client, the same for all instances of a wallet.
   * @param request.instanceKey Public key of this instance at one authorization server.
   */
  attest(
    request: { readonly clientId: string; readonly instanceKey: PublicJwk },
    now: NumericDate,
  ): Promise<Attestation>
}

/** Options of the built-in provider. */
export interface WalletProviderOptions {
  /** Identifier of the provider, sent as `iss`; leave out for peers that refuse it. */
  readonly issuer?: string
  /** Lifetime of an attestation, in seconds. @default 3600 */
  readonly lifetimeSeconds?: number
}

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
    async attest({ clientId, instanceKey }, now) {
      const expiresAt = now + lifetimeSeconds
      const statement = { clientId, instanceKey, expiresAt, issuer: options.issuer }
      return { jwt: await createClientAttestation(statement, deps.signer, now), expiresAt }
    },
  }
}
