/**
 * The keys of an issuer that is named by a DID, where the configuration names that very DID.
 *
 * A credential cannot bring a DID along: its `iss` is compared with the one that was configured before anything is
 * resolved, and its `kid` must lie in that DID. `did:jwk` needs nobody; a `did:web` document is fetched rarely and
 * its keys are remembered.
 *
 * Source: DID Core 1.0, section 3.2; did:jwk; did:web; requirements/verifier.md, VP-V-SDJ-09.
 *
 * @module
 */
import {
  type JsonObject,
  member,
  type NumericDate,
  type OutboundFetch,
  VerificationError,
} from '@attache/core'
import type { IssuerKeys, PublicJwk } from '@attache/keys'
import { createDidKeys } from '@attache/openid4vp'

const DID = /^did:(?:jwk|web):[A-Za-z0-9._:%-]+$/
const KEPT_SECONDS = 300
// Whoever makes up fragments must not make this server ask again and again.
const COOLDOWN_SECONDS = 10
const MOST_KEYS = 32

/** Whether a text is a DID that can be configured here. */
export function isConfigurableDid(issuer: string): boolean {
  return DID.test(issuer)
}

/** Finds the key that must have signed a token of one issuer. */
export interface DidIssuerKeys {
  /**
   * @throws {VerificationError} `issuer_untrusted`, `issuer_mechanism_refused`, `issuer_key_not_found`,
   * `issuer_keys_unavailable`.
   */
  resolve(
    token: Parameters<IssuerKeys['resolve']>[0],
  ): Promise<{ readonly key: PublicJwk; readonly issuer: string }>
}

/** Makes the finder of one issuer's keys; nothing is fetched before a token asks for it. */
export function createDidIssuerKeys(did: string, deps: { readonly fetch: OutboundFetch }): DidIssuerKeys {
  const find = createDidKeys(deps)
  const kept = new Map<string, { readonly key: Promise<PublicJwk>; readonly until: NumericDate }>()
  let asked: NumericDate = 0
  const load = (url: string, now: NumericDate): Promise<PublicJwk> => {
    const mayFetch = !did.startsWith('did:web:') || now >= asked + COOLDOWN_SECONDS
    if (!mayFetch) return Promise.reject(notFound())
    asked = now
    const key = find(url).then(requireKey, unavailable)
    if (kept.size === MOST_KEYS) kept.clear()
    // Many at once share one look; a failure is forgotten, the pause before the next one stays.
    kept.set(url, { key, until: now + KEPT_SECONDS })
    key.catch(() => kept.delete(url))
    return key
  }
  return {
    async resolve({ header, issuer, now }) {
      const url = keyUrl(did, { header, issuer })
      const known = kept.get(url)
      const key = known !== undefined && known.until > now ? known.key : load(url, now)
      return { key: await key, issuer: did }
    },
  }
}

function requireKey(key: PublicJwk | undefined): PublicJwk {
  if (key === undefined) throw notFound()
  return key
}

function keyUrl(
  did: string,
  { header, issuer }: { readonly header: JsonObject; readonly issuer: string | undefined },
): string {
  if (issuer !== did) {
    throw new VerificationError('issuer_untrusted', 'The issuer is not the configured DID.')
  }
  const kid = member(header, 'kid')
  if (Object.hasOwn(header, 'x5c') || typeof kid !== 'string') {
    throw new VerificationError(
      'issuer_mechanism_refused',
      'The key of this issuer is named by a kid in its DID.',
    )
  }
  const url = kid.startsWith('#') ? `${did}${kid}` : kid
  if (url.startsWith(`${did}#`)) return url
  throw new VerificationError(
    'issuer_mechanism_refused',
    'The kid lies in another DID than the configured one.',
  )
}

function unavailable(cause: unknown): never {
  if (!(cause instanceof VerificationError)) throw cause
  throw new VerificationError('issuer_keys_unavailable', 'The DID of the issuer cannot be resolved now.', {
    cause,
  })
}

function notFound(): VerificationError {
  return new VerificationError('issuer_key_not_found', 'The DID of the issuer has no such key.')
}
