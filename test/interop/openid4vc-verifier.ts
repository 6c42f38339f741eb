/**
 * A verifier on `@openid4vc/openid4vp`: signed requests by reference, answers by direct post.
 *
 * The library checks the protocol; the presentation itself is read by `@sd-jwt/sd-jwt-vc`.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { type JsonObject, readForm } from '@attache/core'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import { type createOpenid4vpAuthorizationRequest, Openid4vpVerifier } from '@openid4vc/openid4vp'
import { createHttpsOrigin } from '../support/https-origin.js'
import { createPeerKeys } from './openid4vc-callbacks.js'
import { createPeerFetch } from './peer-fetch.js'
import { readPresentation } from './read-credential.js'
import { type Certified, certify, ecPrivateJwk, tlsAuthority } from './world.js'

type Prefix = 'x509_san_dns' | 'x509_hash'
type Mode = 'direct_post' | 'direct_post.jwt'

type RequestPayload = Parameters<
  typeof createOpenid4vpAuthorizationRequest
>[0]['authorizationRequestPayload'] & { readonly client_id: string }

export interface ForeignVerifier {
  readonly origin: string
  readonly signing: Certified
  clientIdOf(prefix: Prefix): string
  /** Begins a transaction; the link for a wallet. */
  start(wanted: { readonly prefix: Prefix; readonly mode: Mode; readonly query: JsonObject }): Promise<string>
  /** Claims of every presentation that was accepted, in order. */
  readonly accepted: readonly Readonly<Record<string, unknown>>[]
  close(): Promise<void>
}

/** @param issuer Whose credentials count. */
export async function serveForeignVerifier(issuer: Certified): Promise<ForeignVerifier> {
  const server = await createHttpsOrigin(tlsAuthority)
  const signing = await certify('Foreign verifier', { dnsNames: ['localhost'] })
  const keys = createPeerKeys(createPeerFetch().fetch)
  const [leaf = ''] = signing.signer.x5c ?? []
  const jwtSigner = await keys.certified(ecPrivateJwk(signing.privateJwk), signing.signer.x5c ?? [])
  const verifier = new Openid4vpVerifier({ callbacks: keys.callbacks })
  const answers = new Map<string, (request: Request) => Promise<Response>>()
  const accepted: Readonly<Record<string, unknown>>[] = []
  server.serve(async (request) => {
    const answer = answers.get(new URL(request.url).pathname)
    return answer === undefined ? new Response(null, { status: 404 }) : answer(request)
  })
  const clientIdOf = (prefix: Prefix) =>
    prefix === 'x509_hash' ? x509HashClientIdentifier(leaf) : 'x509_san_dns:localhost'
  return {
    origin: server.origin,
    signing,
    clientIdOf,
    accepted,
    async start({ prefix, mode, query }) {
      const id = randomBytes(16).toString('hex')
      const encryption = mode === 'direct_post.jwt' ? { jwks: { keys: [await keys.createDecryption()] } } : {}
      const payload: RequestPayload = {
        response_type: 'vp_token',
        client_id: clientIdOf(prefix),
        nonce: randomBytes(16).toString('base64url'),
        state: id,
        response_mode: mode,
        response_uri: `${server.origin}/response/${id}`,
        dcql_query: query,
        client_metadata: {
          ...encryption,
          vp_formats_supported: {
            'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
          },
        },
      }
      const created = await verifier.createOpenId4vpAuthorizationRequest({
        authorizationRequestPayload: payload,
        jar: {
          requestUri: `${server.origin}/request/${id}`,
          jwtSigner,
          expiresInSeconds: 60,
          // The library leaves `aud` to its host; OpenID4VP 1.0, section 5.8, has it in every request object.
          additionalJwtPayload: { aud: 'https://self-issued.me/v2' },
        },
      })
      answers.set(`/request/${id}`, async () => {
        const headers = { 'Content-Type': 'application/oauth-authz-req+jwt' }
        return new Response(created.jar?.authorizationRequestJwt ?? '', { headers })
      })
      answers.set(`/response/${id}`, async (request) => {
        const form = await readForm(request, { maxBytes: 65_536 })
        const parsed = await verifier.parseOpenid4vpAuthorizationResponse({
          authorizationResponse: Object.fromEntries(form),
          authorizationRequestPayload: payload,
          // Its declared type leaves them to the constructor; the code reads them from here.
          callbacks: keys.callbacks,
        })
        if (parsed.type !== 'dcql') return new Response(null, { status: 400 })
        const bound = { audience: payload.client_id, nonce: parsed.expectedNonce }
        for (const presentation of Object.values(parsed.dcql.presentations).flat()) {
          accepted.push(await readPresentation(String(presentation), issuer.authority.pem, bound))
        }
        return Response.json({})
      })
      return created.authorizationRequest
    },
    close: server.close,
  }
}
