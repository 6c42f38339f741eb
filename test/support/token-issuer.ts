/**
 * A platform that hands out workload identity tokens: keys that rotate, a JWK Set, metadata.
 *
 * Signs with jose, so that what our room reads was not written by it.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { NOW } from './clock.js'

export interface TokenIssuer {
  readonly issuer: string
  /** How often its keys were asked for. */
  fetches(): number
  /** The keys that are published now. */
  jwks(): { readonly keys: readonly JsonObject[] }
  /** A new key signs from now on; the old ones are published no more, unless they are kept. */
  rotate(kid: string, options?: { readonly keep?: boolean }): Promise<void>
  /** Metadata and keys, at the paths of an OpenID Provider. */
  handle(request: Request): Promise<Response>
  /** Signs claims as they are, with the current key or an earlier one. */
  sign(claims: JWTPayload, header?: { readonly kid?: string; readonly typ?: string }): Promise<string>
}

interface Pair {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly jwk: JsonObject
}

export async function createTokenIssuer(
  issuer: string,
  options: { readonly alg?: 'RS256' | 'ES256' | 'EdDSA'; readonly kid?: string } = {},
): Promise<TokenIssuer> {
  const alg = options.alg ?? 'RS256'
  const make = async (kid: string): Promise<Pair> => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    const { kty = '', crv, x, y, n, e } = await exportJWK(publicKey)
    const members = Object.entries({ kty, crv, x, y, n, e, kid, alg, use: 'sig' })
    return { kid, privateKey, jwk: Object.fromEntries(members.flatMap(([k, v]) => (v ? [[k, v]] : []))) }
  }
  const pairs: Pair[] = [await make(options.kid ?? 'key-1')]
  let published: readonly Pair[] = pairs.slice()
  let fetched = 0
  const jwks = () => ({ keys: published.map(({ jwk }) => jwk) })
  return {
    issuer,
    fetches: () => fetched,
    jwks,
    async rotate(kid, { keep = false } = {}) {
      const pair = await make(kid)
      pairs.unshift(pair)
      published = keep ? [pair, ...published] : [pair]
    },
    async handle(request) {
      const { pathname } = new URL(request.url)
      if (pathname.endsWith('/.well-known/openid-configuration'))
        return Response.json({ issuer, jwks_uri: `${issuer}/jwks` })
      if (!pathname.endsWith('/jwks')) return new Response(null, { status: 404 })
      fetched += 1
      return Response.json(jwks())
    },
    async sign(claims, { kid, typ } = {}) {
      const pair = pairs.find((one) => kid === undefined || one.kid === kid) ?? pairs[0]
      if (pair === undefined) throw new Error('There is a key.')
      const header = { alg, kid: kid ?? pair.kid, ...(typ === undefined ? {} : { typ }) }
      return new SignJWT(claims).setProtectedHeader(header).sign(pair.privateKey)
    },
  }
}

/** Claims of a projected Kubernetes service account token. */
export function serviceAccountClaims(
  place: { readonly issuer: string; readonly audience: string },
  change: JWTPayload = {},
): JWTPayload {
  return {
    iss: place.issuer,
    aud: [place.audience],
    sub: 'system:serviceaccount:payroll:export',
    iat: NOW - 60,
    nbf: NOW - 60,
    exp: NOW + 3000,
    'kubernetes.io': {
      namespace: 'payroll',
      pod: { name: 'export-7d9f', uid: '0b6e6b1c-6f3e-4c0f-9f61-2c9c8f1f0a11' },
      serviceaccount: { name: 'export', uid: '5d0a3f42-3f4e-4b58-8a38-0d3a4ffb7b7e' },
    },
    ...change,
  }
}
