/**
 * The same attacks before the usual libraries, each asked as its documentation leads to.
 *
 * What is the host's by their design is given them right: the issuer's key, the bound key, the clock. So a verdict
 * says what a team gets that adds nothing of its own.
 *
 * @module
 */
import { createHash, createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseJson,
  routeRequests,
} from '@attache/core'
import { parseJws } from '@attache/keys'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { DcqlQuery } from 'dcql'
import { importJWK, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import { acceptsResponse } from '../interop/openid4vp-response.js'
import { NOW } from '../support/clock.js'
import { holder, plainJwk } from '../support/forged-presentation.js'
import { API, QUERY, signers } from '../support/presentation-world.js'
import type { AnswerAttack, AnswerScene, CallScene, Library } from './attack.js'

/** What a library makes of an attack. */
export type LibraryVerdict = 'accepts' | 'refuses'

const verdictOf = (work: Promise<unknown>): Promise<LibraryVerdict> =>
  work.then(
    (answer) => (answer === false ? 'refuses' : 'accepts'),
    () => 'refuses',
  )

/** Asks a library about an answer. */
export async function askAboutAnswer(
  library: Library,
  attack: AnswerAttack,
  facts: { readonly scene: AnswerScene; readonly request: Request },
): Promise<LibraryVerdict> {
  const { scene, request } = facts
  const form = Object.fromEntries(new URLSearchParams(await request.clone().text()))
  switch (library) {
    case '@sd-jwt/sd-jwt-vc verify(text)':
      return verdictOf(sdJwtLibrary().verify(presentationIn(form), { currentDate: NOW }))
    case '@sd-jwt/sd-jwt-vc verify(text, { keyBindingNonce })': {
      const options = { currentDate: NOW, keyBindingNonce: scene.request.nonce }
      return verdictOf(sdJwtLibrary().verify(presentationIn(form), options))
    }
    case '@openid4vc/openid4vp parseOpenid4vpAuthorizationResponse':
      return verdictOf(acceptsResponse(scene.request, form))
    case 'dcql DcqlQuery.query':
      return verdictOf(answersQuery(presentationIn(form), attack.transaction?.query ?? QUERY))
    case 'jose jwtVerify(KB-JWT, cnf key)': {
      const keyBinding = presentationIn(form).split('~').at(-1) ?? ''
      const key = await importJWK({ ...plainJwk(holder) }, 'ES256')
      return verdictOf(jwtVerify(keyBinding, key, { currentDate: new Date(NOW * 1000) }))
    }
    default:
      throw new Error(`${library} does not judge answers.`)
  }
}

/** Asks the library for resource servers about a call. */
export async function askAboutCall(scene: CallScene, request: Request): Promise<LibraryVerdict> {
  const routes = routeRequests(scene.world.verifier.routes)
  const server: oauth.AuthorizationServer = { issuer: API, jwks_uri: `${API}/attache/jwks` }
  const options = {
    signingAlgorithms: ['ES256'],
    requireDPoP: true,
    // The scene has its own clock; the difference is whole days, so a second more or less changes nothing.
    [oauth.clockSkew]: NOW - Math.floor(Date.now() / 1000),
    [oauth.customFetch]: async (url: string) =>
      (await routes(new Request(url))) ?? new Response(null, { status: 404 }),
  }
  return verdictOf(oauth.validateJwtAccessToken(server, request.clone(), API, options))
}

/** The first presentation under the one query. */
function presentationIn(form: Readonly<Record<string, string>>): string {
  const parsed = parseJson(form['vp_token'] ?? '', { maxDepth: 64 })
  const answers = parsed.ok && isJsonObject(parsed.value) ? member(parsed.value, 'role_cred') : undefined
  const first: JsonValue | undefined = Array.isArray(answers) ? answers[0] : undefined
  if (typeof first !== 'string') throw new Error('There is no presentation to be judged.')
  return first
}

const keyOf = (jwk: JsonWebKey) => createPublicKey({ key: jwk, format: 'jwk' })
const holds = (jwk: JsonWebKey, data: string, signature: string) =>
  verify(
    'sha256',
    Buffer.from(data),
    { key: keyOf(jwk), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )

function sdJwtLibrary(): SDJwtVcInstance {
  return new SDJwtVcInstance({
    hasher: (data, algorithm) =>
      createHash(algorithm.replace('-', ''))
        .update(typeof data === 'string' ? data : new Uint8Array(data))
        .digest(),
    verifier: (data, signature) => holds({ ...signers.issuer.publicJwk }, data, signature),
    kbVerifier: (data, signature, { cnf }) => cnf !== undefined && holds({ ...cnf.jwk }, data, signature),
  })
}

async function answersQuery(presentation: string, query: JsonObject): Promise<boolean> {
  const parsed = DcqlQuery.parse(JSON.parse(JSON.stringify(query)))
  DcqlQuery.validate(parsed)
  const { payload } = parseJws(presentation.split('~')[0] ?? '')
  const claims: unknown = await sdJwtLibrary().getClaims(presentation)
  const credential = {
    credential_format: 'dc+sd-jwt' as const,
    vct: String(member(payload, 'vct')),
    claims: JSON.parse(JSON.stringify(claims)),
    cryptographic_holder_binding: true,
  }
  return DcqlQuery.query(parsed, [credential]).can_be_satisfied
}
