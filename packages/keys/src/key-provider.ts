/**
 * The `KeyProvider` port, and the provider whose keys lie sealed in a store.
 *
 * Keys are named by an opaque reference; who asks for a reference and may use it is the caller's business. The
 * private half exists unsealed only inside a `Signer`. A KMS, a PKCS #11 token or a TPM fits behind the port.
 *
 * Source: NIST SP 800-57 part 1, section 8 (life of a key).
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  member,
  type Random,
  randomId,
  type Store,
  storeKey,
} from '@attache/core'
import type { JwsAlgorithm } from './algorithms.js'
import type { Envelope } from './envelope.js'
import type { PublicJwk } from './jwk.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner, type Signer } from './signer.js'

/** Makes keys, signs with them, destroys them; never hands one out. */
export interface KeyProvider {
  /** Makes a key. The reference is opaque, ASCII, and safe to store and to log. */
  generate(alg: JwsAlgorithm): Promise<{ ref: string; publicJwk: PublicJwk }>
  /** The signer of a key. Throws `RangeError` for a reference that is unknown or was destroyed. */
  signer(ref: string): Promise<Signer>
  /** Destroys a key; a reference that is unknown already is no mistake. */
  destroy(ref: string): Promise<void>
  /** Evidence by the hardware that holds the key, where there is some. */
  attest?(ref: string): Promise<JsonObject>
}

/** What the software provider needs. */
export interface SoftwareKeyProviderDeps {
  readonly store: Pick<Store, 'get' | 'putIfAbsent' | 'take'>
  readonly envelope: Envelope
  readonly random: Random
}

/**
 * Makes a provider whose private keys are sealed by an envelope and lie in a store.
 *
 * Each record is bound to its store key, so a record copied to another reference, room or tenant does not open.
 *
 * @param options.tenant Tenant of the store keys. @default `default`
 * @param options.room Room of the store keys, for example `wallet`.
 */
export function createSoftwareKeyProvider(
  options: { tenant?: string; room: string },
  deps: SoftwareKeyProviderDeps,
): KeyProvider {
  const { tenant = 'default', room } = options
  const placeOf = (ref: string) => storeKey({ tenant, room, kind: 'key', id: ref })
  return {
    async generate(alg) {
      const privateJwk = generatePrivateJwk(alg)
      const ref = randomId(deps.random, 'key')
      const sealed = await deps.envelope.seal(privateJwk, placeOf(ref))
      if (!(await deps.store.putIfAbsent(placeOf(ref), { v: 1, sealed }))) throw unknownKey()
      return { ref, publicJwk: createSoftwareSigner(privateJwk).publicJwk }
    },
    async signer(ref) {
      const stored = await deps.store.get(placeOf(ref))
      const sealed = isJsonObject(stored?.value) ? member(stored.value, 'sealed') : undefined
      if (sealed === undefined) throw unknownKey()
      return createSoftwareSigner(await deps.envelope.open(sealed, placeOf(ref)))
    },
    async destroy(ref) {
      await deps.store.take(placeOf(ref))
    },
  }
}

function unknownKey(): RangeError {
  return new RangeError('The key reference is unknown or its key was destroyed.')
}
