/**
 * The software key provider of a wallet: private keys as sealed records of one agent.
 *
 * Owns making, finding and destroying keys. Other than the provider of the keys room, this one seals a key for
 * its agent too, and its records turn over with the agent's other records. A key leaves this file as a
 * `Signer` and in no other form; a KMS or a PKCS #11 token takes this file's place behind the same port.
 *
 * Source: threat model, row 16; OpenID4VCI 1.0, section 13.8.
 *
 * @module
 */
import { isJsonObject, member, VerificationError } from '@attache/core'
import type { KeyProvider } from '@attache/keys'
import { createSoftwareSigner, generatePrivateJwk, type Signer } from '@attache/keys'
import type { Vault } from './vault.js'

/** How many signers stay imported; importing a key costs more than signing with it. */
const MAX_IMPORTED = 256

/** Makes the key provider of one agent. */
export function createSealedKeys(agent: string, deps: { readonly vault: Vault }): KeyProvider {
  const { vault } = deps
  const imported = new Map<string, Signer>()

  return {
    async generate(alg) {
      const privateJwk = generatePrivateJwk(alg)
      const { publicJwk, kid: ref } = createSoftwareSigner(privateJwk)
      const content = { v: 1, jwk: privateJwk }
      // Durable before anybody hears of the key: a credential bound to a lost key is a lost credential.
      await vault.commit([await vault.creating({ agent, kind: 'key', id: ref }, content)])
      return { ref, publicJwk }
    },
    async signer(ref) {
      const known = imported.get(ref)
      if (known !== undefined) return known
      const record = await vault.read({ agent, kind: 'key', id: ref })
      const jwk = record && isJsonObject(record.content) ? member(record.content, 'jwk') : undefined
      if (jwk === undefined)
        throw new VerificationError('key_unknown', 'The key is not (any more) in this vault.')
      const signer = createSoftwareSigner(jwk)
      if (imported.size >= MAX_IMPORTED) imported.clear()
      imported.set(ref, signer)
      return signer
    },
    async destroy(ref) {
      imported.delete(ref)
      await vault.commit([vault.removing({ agent, kind: 'key', id: ref })])
    },
  }
}
