import { readFileSync } from 'node:fs'
import { isJsonArray, isJsonObject, type JsonValue, member, parseJson } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type Signer } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { digestOf, disclose, signRaw } from '../support/credentials.js'
import {
  createWallet,
  createWorld,
  fetchRequest,
  postResponse,
  QUERY,
  soundBody,
} from '../support/presentation-world.js'
import { AGENT, createScriptedWorld, roleClaims, START } from '../support/scripted-issuer.js'
import { createPresentationWorld } from '../support/scripted-verifier.js'

/** The refused credentials of the published vectors. */
const REFUSED = readCases().filter(({ expect: verdict }) => verdict === 'reject')

function readCases(): readonly { readonly id: string; readonly input: string; readonly expect: string }[] {
  const parsed = parseJson(readFileSync('test/vectors/sd-jwt/derived-cases.json', 'utf8'), { maxDepth: 64 })
  const cases: JsonValue | undefined =
    parsed.ok && isJsonObject(parsed.value) ? member(parsed.value, 'cases') : []
  return (isJsonArray(cases) ? cases : []).flatMap((one) => {
    const [id, input, verdict] = isJsonObject(one)
      ? ['id', 'input', 'expect'].map((name) => member(one, name))
      : []
    if (typeof id !== 'string' || typeof input !== 'string' || typeof verdict !== 'string') return []
    return [{ id, input, expect: verdict }]
  })
}

const header = (signer: Signer) => ({ alg: 'ES256', typ: 'dc+sd-jwt', x5c: [...(signer.x5c ?? [])] })

/** Credentials that the trusted issuer really signed, each with one fault of structure. */
const TRICKS: Readonly<
  Record<string, (cnf: JsonValue) => { payload: Record<string, JsonValue>; parts: readonly string[] }>
> = {
  'a disclosure that no digest refers to': (cnf) => ({
    payload: { cnf },
    parts: [disclose('salt-of-16-bytes', 'level', 3)],
  }),
  'a digest twice': (cnf) => {
    const one = disclose('salt-of-16-bytes', 'level', 3)
    return { payload: { cnf, _sd: [digestOf(one), digestOf(one)] }, parts: [one] }
  },
  'a disclosure that writes over a signed claim': (cnf) => {
    const one = disclose('salt-of-16-bytes', 'role', 'Director')
    return { payload: { cnf, _sd: [digestOf(one)] }, parts: [one] }
  },
  'a hidden exp': (cnf) => {
    const one = disclose('salt-of-16-bytes', 'exp', 1)
    return { payload: { cnf, _sd: [digestOf(one)] }, parts: [one] }
  },
}

describe('a wallet that receives a credential', () => {
  test('keeps none of the credentials that the vectors refuse [SDJWT-H-01]', async () => {
    expect(REFUSED.length).toBeGreaterThan(70)
    const codes = new Set<string>()
    for (const { id, input } of REFUSED) {
      const world = await createScriptedWorld({ script: { credentials: () => [input] } })
      const reply = await world.receive()
      expect(reply, id).toMatchObject({ outcome: 'refused' })
      expect(await world.store.list('t/default/wallet/credential/'), id).toHaveLength(0)
      if (reply.outcome === 'refused') codes.add(reply.code)
    }
    // Judged as credentials, not refused before anybody looked at them.
    expect([...codes].sort()).toEqual(['verification'])

    const sound = await createScriptedWorld()
    expect(await sound.receive()).toMatchObject({ outcome: 'stored' })
  }, 180_000)

  test.each(Object.entries(TRICKS))(
    'keeps none with %s, though its issuer signed it [SDJWT-H-01]',
    async (_name, trick) => {
      const world = await createScriptedWorld()
      const { signer } = world.signing
      world.play({
        credentials: async ([sound = '']) => {
          const [jws = ''] = sound.split('~')
          const claims = parseJson(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString(), {
            maxDepth: 32,
          })
          const cnf = claims.ok && isJsonObject(claims.value) ? (member(claims.value, 'cnf') ?? null) : null
          const { payload, parts } = trick(cnf)
          const signed = await signRaw(header(signer), { ...roleClaims(START), ...payload }, signer)
          return [`${[signed, ...parts].join('~')}~`]
        },
      })

      expect(await world.receive()).toMatchObject({ outcome: 'refused' })
      expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [] })
    },
  )

  test('refuses one that is bound to another key, and tells the issuer [SDJWT-H-03]', async () => {
    const world = await createScriptedWorld()
    const { signer } = world.signing
    const { publicJwk } = createSoftwareSigner(generatePrivateJwk('ES256'))
    const foreign = { ...roleClaims(START), cnf: { jwk: { ...publicJwk } } }
    world.play({ credentials: async () => [`${await signRaw(header(signer), foreign, signer)}~`] })

    expect(await world.receive()).toMatchObject({ outcome: 'refused', code: 'binding' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [] })
    expect(world.calls('/notification').map(({ body }) => JSON.parse(body))).toEqual([
      { notification_id: 'note-1', event: 'credential_failure' },
    ])
  })
})

describe('a wallet that presents', () => {
  test('sends a presentation in bodies of https calls only, never in a URL [SDJWT-H-11]', async () => {
    const world = await createPresentationWorld()
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
    const [presentation = ''] = (await world.vpToken())['role_cred'] ?? []

    expect(presentation.split('~').length).toBeGreaterThan(2)
    for (const { url } of world.network.calls) {
      expect(url).toMatch(/^https:/)
      expect(url).not.toContain('vp_token')
      expect(url).not.toContain(presentation.slice(0, 40))
    }
  })

  test('sends nothing to a response_uri without TLS [SDJWT-H-11]', async () => {
    const world = await createPresentationWorld({
      verifierScript: { request: (all) => ({ ...all, response_uri: 'http://api.example/response' }) },
    })

    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(world.network.calls.filter(({ url }) => url.startsWith('http:'))).toEqual([])
    expect(world.to('/response')).toHaveLength(0)
  })
})

describe('a verifier that receives one presentation many times at once', () => {
  test('accepts it once [SDJWT-K-19]', async () => {
    const wallet = await createWallet()
    const world = createWorld()
    const started = await world.verifier.startTransaction({ query: QUERY })
    const { request, responseUri } = await fetchRequest(world, started.requestUrl)
    expect(request.nonce).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const body = await soundBody(wallet, request)

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => postResponse(world, responseUri, body)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  })
})
