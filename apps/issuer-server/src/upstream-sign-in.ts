/**
 * Sign-in at a company's own OpenID Provider.
 *
 * Owns turning its answer into a person of the directory. The protocol is `openid-client`: PKCE, nonce, state,
 * and the signature of the ID Token, also though it comes over TLS. Every call goes through the guarded fetch.
 *
 * Source: OpenID Connect Core 1.0, section 3.1; OpenID Connect Discovery 1.0, section 4; RFC 7636.
 *
 * @module
 */
import {
  type JsonObject,
  type Log,
  member,
  type OutboundFetch,
  ProtocolError,
  type Random,
  randomText,
} from '@attache/core'
import type { Directory, SignedInPerson, UpstreamSignIn } from '@attache/issuer'
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  type CustomFetch,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
} from 'openid-client'

/** Which provider, and what its claims mean here. */
export interface UpstreamOptions {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Claim that holds the employee id. */
  readonly ownerClaim: string
  /** Claim that is shown on the consent page. */
  readonly nameClaim: string
  readonly scope: string
}

/** What signing in needs. */
export interface UpstreamDeps {
  readonly fetch: OutboundFetch
  readonly directory: Pick<Directory, 'listAgents'>
  readonly random: Random
  readonly log: Log
}

/** Makes the sign-in. The provider is asked for its metadata when somebody signs in first. */
export function createUpstreamSignIn(options: UpstreamOptions, deps: UpstreamDeps): UpstreamSignIn {
  const provider = createProvider(options, deps)
  return {
    async begin({ callback, state }) {
      const [verifier, nonce] = [randomText(deps.random), randomText(deps.random)]
      const found = await provider().catch((cause: unknown) => {
        throw unreachable(cause)
      })
      const url = buildAuthorizationUrl(found, {
        redirect_uri: callback,
        scope: options.scope,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      return { location: url.href, kept: { verifier, nonce } }
    },

    async complete({ callback, state, answer, kept }) {
      const url = new URL(`${callback}?${answer}`)
      try {
        const claims = await claimsOf(await provider(), { url, state, kept }, options)
        return await personOf(claims, options, deps)
      } catch (cause) {
        if (isUnreachable(cause)) throw unreachable(cause)
        throw new ProtocolError(
          'access_denied',
          'The sign-in at your company did not succeed. Start again.',
          {
            cause,
          },
        )
      }
    },
  }
}

/** The provider's metadata, asked for once; a failure is not remembered. */
function createProvider(options: UpstreamOptions, { fetch }: UpstreamDeps): () => Promise<Configuration> {
  let known: Promise<Configuration> | undefined
  return () => {
    known ??= discovery(new URL(options.issuer), options.clientId, options.clientSecret, undefined, {
      [customFetch]: guarded(fetch),
      execute: [enableNonRepudiationChecks],
    }).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
}

function guarded(fetch: OutboundFetch): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    const text = body instanceof URLSearchParams ? body.toString() : body
    if (text !== undefined && text !== null && typeof text !== 'string') {
      throw new TypeError('Only forms are sent to the provider.')
    }
    const request = {
      method,
      headers,
      ...(typeof text === 'string' ? { body: text } : {}),
      ...(signal === undefined ? {} : { signal }),
    }
    const response = await fetch(url, request).catch((cause: unknown) => {
      throw unreachable(cause)
    })
    if (response.status >= 500) throw unreachable()
    return response
  }
}

const UNREACHABLE = 'temporarily_unavailable'

// Said on the way out and on the way back: there the provider's code is not spent, and a reload goes on.
function unreachable(cause?: unknown): ProtocolError {
  return new ProtocolError(UNREACHABLE, 'Your sign-in cannot be reached. Try again in a moment.', { cause })
}

/** Whether a provider that did not answer is behind an error; `openid-client` wraps what its fetch throws. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (error instanceof ProtocolError && error.code === UNREACHABLE) || isUnreachable(error.cause)
}

async function claimsOf(
  provider: Configuration,
  facts: { readonly url: URL; readonly state: string; readonly kept: JsonObject },
  { ownerClaim }: UpstreamOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const tokens = await authorizationCodeGrant(provider, facts.url, {
    pkceCodeVerifier: String(member(facts.kept, 'verifier')),
    expectedNonce: String(member(facts.kept, 'nonce')),
    expectedState: facts.state,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  if (claims === undefined) throw new Error('The provider sent no ID Token.')
  if (Object.hasOwn(claims, ownerClaim) || provider.serverMetadata().userinfo_endpoint === undefined)
    return claims
  return { ...(await fetchUserInfo(provider, tokens.access_token, claims.sub)), sub: claims.sub }
}

/** Without an employee id nobody is meant: never all agents. */
async function personOf(
  claims: Readonly<Record<string, unknown>>,
  { ownerClaim, nameClaim }: UpstreamOptions,
  { directory, log }: UpstreamDeps,
): Promise<SignedInPerson | undefined> {
  const own = (name: string) => (Object.hasOwn(claims, name) ? claims[name] : undefined)
  const owner = own(ownerClaim)
  if (typeof owner !== 'string' || owner === '') {
    log.warn('upstream.owner_claim_missing', { claim: ownerClaim, advice: 'Let the provider release it.' })
    return undefined
  }
  const name = own(nameClaim)
  return {
    name: typeof name === 'string' && name !== '' ? name : owner,
    agents: await directory.listAgents(owner),
  }
}
