import { createCertificateAuthority, generatePrivateJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  API,
  askResult,
  ca,
  call,
  createWallet,
  createWorld,
  fetchRequest,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  postResponse,
  QUERY,
  responseCodeOf,
  soundBody,
  VCT,
  type World,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

const YEAR = 31_536_000

/** Presents once; the status of the answer, and of reading the result. */
async function presentOnce(world: World, wallet: Awaited<ReturnType<typeof createWallet>>) {
  const started = await world.verifier.startTransaction({ query: QUERY })
  const { request, responseUri } = await fetchRequest(world, started.requestUrl)
  const answer = await postResponse(world, responseUri, await soundBody(wallet, request))
  if (answer.status !== 200) return { status: answer.status, claims: undefined }
  const code = await responseCodeOf(answer)
  const result = await askResult(world, { transaction_id: started.transactionId, response_code: code })
  return { status: result.status, claims: (await objectOf(result))['credentials'] }
}

describe('what a verifier remembers between presentations', () => {
  test('a credential that is presented again is judged to the same end', async () => {
    const world = createWorld()
    const wallet = await createWallet()
    const first = await presentOnce(world, wallet)
    expect(first).toMatchObject({ status: 200 })
    expect(await presentOnce(world, wallet)).toEqual(first)
  })

  test('a changed trust configuration is not skipped', async () => {
    const wallet = await createWallet()
    const world = createWorld()
    expect((await presentOnce(world, wallet)).status).toBe(200)
    const other = await createCertificateAuthority(
      {
        commonName: 'Other',
        privateJwk: generatePrivateJwk('ES256'),
        notBefore: NOW - YEAR,
        notAfter: NOW + YEAR,
      },
      { random: createSeededRandom('other authority') },
    )
    const elsewhere = createWorld({ trustedIssuers: [{ vct: VCT, anchors: [other.pem], issuer: ISSUER }] })
    expect((await presentOnce(elsewhere, wallet)).status).toBe(400)
    const otherIssuer = createWorld({
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: 'https://other.example' }],
    })
    expect((await presentOnce(otherIssuer, wallet)).status).toBe(400)
    expect((await presentOnce(world, wallet)).status).toBe(200)
  })

  test('expiry, revocation and key binding are not skipped', async () => {
    const world = createWorld()
    const short = await createWallet({ claims: { exp: NOW + 100 } })
    expect((await presentOnce(world, short)).status).toBe(200)
    const begin = async () => {
      const started = await world.verifier.startTransaction({ query: QUERY, responseMode: 'direct_post' })
      return fetchRequest(world, started.requestUrl)
    }
    const [answered, replayed] = [await begin(), await begin()]
    const copy = new URLSearchParams(await soundBody(short, answered.request))
    copy.set('state', replayed.request.state ?? '')
    expect((await postResponse(world, replayed.responseUri, copy.toString())).status).toBe(400)
    expect((await presentOnce(world, short)).status).toBe(200)
    world.time.advance(161)
    expect((await presentOnce(world, short)).status).toBe(400)

    const other = createWorld()
    const wallet = await createWallet()
    expect((await presentOnce(other, wallet)).status).toBe(200)
    other.revoke()
    other.time.advance(61)
    expect((await presentOnce(other, wallet)).status).toBe(400)
  })

  test('the key of a proof that was seen before still has to sign', async () => {
    const world = createWorld()
    const wallet = await createWallet()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, wallet)
    for (let round = 0; round < 3; round += 1) {
      expect(await gate(await call(world, token, { dpop: wallet.dpop }))).toMatchObject({ allowed: true })
    }
    const sound = await call(world, token, { dpop: wallet.dpop })
    const [header, payload] = (sound.headers.get('DPoP') ?? '').split('.')
    const other = await call(world, token, { dpop: freshKey() })
    const signature = (other.headers.get('DPoP') ?? '').split('.')[2]
    const forged = new Request(`${API}/payroll/export`, {
      method: 'POST',
      headers: { Authorization: `DPoP ${token}`, DPoP: `${header}.${payload}.${signature}` },
    })
    const outcome = await gate(forged)
    expect(outcome.allowed).toBe(false)
    if (!outcome.allowed) expect(await objectOf(outcome.response)).toMatchObject({ code: 'proof_invalid' })
  })
})
