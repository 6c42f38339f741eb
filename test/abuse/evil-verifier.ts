/**
 * Evil verifiers: scripts for an API and its authorization server that lie, forge, ask too much or overload.
 *
 * Each names the one reason a wallet must have in its journal. Played on both routes by whoever wants to know
 * what a wallet gives away.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import type { Signer } from '@attache/keys'
import { QUERY, type VerifierScript } from '../support/scripted-verifier.js'

export interface EvilVerifier {
  readonly name: string
  /** The reason in the wallet's journal. */
  readonly code: string
  /** @param foreign A signer under an authority the wallet does not trust, for the same host. */
  readonly script: (foreign: Signer) => VerifierScript
}

const put = (more: JsonObject) => (parameters: JsonObject) => ({ ...parameters, ...more })
const claims = (...names: readonly string[]): JsonObject => ({
  credentials: [
    {
      ...(Array.isArray(QUERY['credentials']) ? QUERY['credentials'] : [])[0],
      claims: names.map((name) => ({ path: [name] })),
    },
  ],
})

/** Works on the plain route; those without `plainOnly` work on the challenge route as well. */
export const EVIL_VERIFIERS: readonly (EvilVerifier & { readonly plainOnly?: true })[] = [
  {
    name: 'names another client',
    code: 'client_id_mismatch',
    script: () => ({ request: put({ client_id: 'x509_san_dns:bank.example' }) }),
  },
  { name: 'signs with a certificate of another authority', code: 'x5c', script: (signer) => ({ signer }) },
  {
    name: 'borrows the chain and signs with its own key',
    code: 'signature',
    script: (foreign) => ({
      requestHeader: (header) => ({ ...header, alg: 'ES256' }),
      signer: { ...foreign, x5c: [] },
    }),
  },
  {
    name: 'sends the answer elsewhere',
    code: 'response_uri',
    plainOnly: true,
    script: () => ({ request: put({ response_uri: 'https://evil.example/response' }) }),
  },
  {
    name: 'asks for more than the mandate',
    code: 'no_rule',
    script: () => ({ query: claims('role', 'employee_id') }),
  },
  {
    name: 'hides one claim too many among those it may have',
    code: 'no_rule',
    script: () => ({ query: claims('role', 'region', 'salary_band') }),
  },
  {
    name: 'replays an old request',
    code: 'expired',
    script: () => ({ request: put({ exp: 1_780_000_000, iat: 1_779_999_900 }) }),
  },
  {
    name: 'sends a request of a megabyte',
    code: 'fetch_too_large',
    script: () => ({ request: put({ padding: 'x'.repeat(1_000_000) }) }),
  },
  { name: 'nests a request without end', code: 'malformed', script: () => ({ request: put(nested(64)) }) },
  {
    name: 'redirects the fetch',
    code: 'fetch_redirect_refused',
    script: () => ({
      steps: {
        '/request': () => new Response(null, { status: 302, headers: { Location: 'https://evil.example/' } }),
        '/challenge': () =>
          new Response(null, { status: 302, headers: { Location: 'https://evil.example/' } }),
      },
    }),
  },
]

function nested(levels: number): JsonObject {
  return levels === 0 ? {} : { deep: nested(levels - 1) }
}
