/**
 * An agent's wallet as an OAuth client of one authorization server: its two keys there.
 *
 * Owns the rule that each authorization server sees keys of its own: an instance key (attested) and a DPoP
 * key, neither of them a holder key. The keys are made once and found again after a restart; the attestation over
 * the instance key is kept by `attester-memory.ts`.
 *
 * Source: HAIP 1.0, section 4.4.1; attestation-based client authentication -11, sections 10.5 and 11.1;
 * RFC 9449, section 11.4.
 *
 * @module
 */
import { isJsonObject, member, VerificationError } from '@attache/core'
import { digest, type KeyProvider, type Signer } from '@attache/keys'
import type { Vault } from './vault.js'

/** One agent at one authorization server. */
export interface ClientInstance {
  readonly agent: string
  readonly clientId: string
  readonly authorizationServer: string
  readonly instance: Signer
  readonly dpop: Signer
}

/** What finding an instance needs. */
export interface ClientInstanceDeps {
  readonly vault: Vault
  readonly keysOf: (agent: string) => KeyProvider
}

/** Finds the agent's keys at an authorization server, or makes them. */
export async function clientInstanceAt(
  facts: { readonly agent: string; readonly clientId: string; readonly authorizationServer: string },
  deps: ClientInstanceDeps,
): Promise<ClientInstance> {
  const keys = deps.keysOf(facts.agent)
  const refs = await keyRefs(facts, keys, deps.vault)
  return { ...facts, instance: await keys.signer(refs.instance), dpop: await keys.signer(refs.dpop) }
}

async function keyRefs(
  facts: { readonly agent: string; readonly authorizationServer: string },
  keys: KeyProvider,
  vault: Vault,
): Promise<{ instance: string; dpop: string }> {
  // The identifier is a URL of any length and characters; its digest fits into a store key.
  const where = {
    agent: facts.agent,
    kind: 'client',
    id: digest('sha-256', facts.authorizationServer),
  } as const
  const read = async () => parseRefs((await vault.read(where))?.content)
  const known = await read()
  if (known !== undefined) return known

  const [instance, dpop] = [await keys.generate('ES256'), await keys.generate('ES256')]
  const content = {
    v: 1,
    authorizationServer: facts.authorizationServer,
    instance: instance.ref,
    dpop: dpop.ref,
  }
  // Two calls at once make two pairs: the first one counts, for both.
  if (await vault.commit([await vault.creating(where, content)]))
    return { instance: instance.ref, dpop: dpop.ref }
  const first = await read()
  if (first === undefined)
    throw new VerificationError('record_unreadable', 'The client keys vanished while they were made.')
  return first
}

function parseRefs(content: unknown): { instance: string; dpop: string } | undefined {
  if (!isJsonObject(content)) return undefined
  const [instance, dpop] = [member(content, 'instance'), member(content, 'dpop')]
  return typeof instance === 'string' && typeof dpop === 'string' ? { instance, dpop } : undefined
}
