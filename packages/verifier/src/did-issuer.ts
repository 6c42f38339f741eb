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

/**
 * Makes the finder of one issuer's keys; nothing is fetched before a token asks for it.
 *
 * The document is remembered, not the answers about names in it: whoever makes up names finds what everybody finds.
 */
export function createDidIssuerKeys(
  did: string,
  { fetch }: { readonly fetch: OutboundFetch },
): DidIssuerKeys {
  let kept: Kept = { asked: Number.NEGATIVE_INFINITY }
  const find = createDidKeys({
    async fetch(url, init) {
      // Many at once share one look.
      kept.answer ??= fetch(url, init).then(readAnswer)
      const { status, text } = await kept.answer
      return new Response(text === '' ? null : text, { status })
    },
  })
  return {
    async resolve({ header, issuer, now }) {
      const url = keyUrl(did, { header, issuer })
      if (now >= kept.asked + KEPT_SECONDS) kept = { asked: now }
      const looked = kept
      const mayAskAgain = now >= looked.asked + COOLDOWN_SECONDS
      const known = await find(url).catch((cause) => (mayAskAgain ? undefined : unavailable(cause)))
      if (known !== undefined) return { key: known, issuer: did }
      if (!mayAskAgain) throw notFound()
      // Somebody else may have asked anew meanwhile.
      if (kept === looked) kept = { asked: now }
      return { key: requireKey(await find(url).catch(unavailable)), issuer: did }
    },
  }
}

/** What a host said about a DID, and when it was asked. */
interface Kept {
  readonly asked: NumericDate
  answer?: Promise<{ readonly status: number; readonly text: string }>
}

async function readAnswer(response: Response) {
  return { status: response.status, text: await response.text() }
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
