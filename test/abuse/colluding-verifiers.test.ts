/**
 * Verifiers that compare their logs, and an issuer that wants to know where its credentials are used.
 */
import { isJsonObject, type JsonValue, parseForm, parseJson } from '@attache/core'
import { createRulePdp } from '@attache/policy'
import { describe, expect, test } from 'vitest'
import { ISSUER } from '../flows/issuer-bench.js'
import {
  call,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  obtainToken,
  STATUS_URI,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'
import {
  AGENT,
  API,
  CLIENT,
  createWalletWorld,
  QUERY,
  SCOPE,
  VCT,
  type WalletWorld,
} from '../support/wallet-world.js'

const OTHER = 'https://crm.example'
const everything = () => createRulePdp([{ id: 'all', effect: 'allow' }])

/** The real wallet with a batch of copies from the real issuer, known to two APIs. */
async function createTwoApis(): Promise<WalletWorld> {
  const world = await createWalletWorld({ otherApis: [OTHER], wallet: { profile: 'base' }, pdp: everything })
  const { uri, txCode } = await world.offer()
  expect(await world.wallet.receive(AGENT, uri, txCode)).toMatchObject({ outcome: 'stored' })
  return world
}

/** Every value in a text: of forms, of JWTs, of Disclosures, of JSON, each under the name it stands under. */
function valuesIn(name: string, text: string): readonly string[] {
  const json = parseJson(text)
  if (json.ok && typeof json.value === 'object') return leavesOf(name, json.value)
  const parts = text.split('~')
  if (parts.length > 1) return parts.flatMap((part) => valuesIn(name, part))
  if (/^[\w-]{8,}(\.[\w-]+){2,}$/.test(text)) return text.split('.').flatMap((part) => valuesIn(name, part))
  const inner = parseJson(/^[\w-]{8,}$/.test(text) ? Buffer.from(text, 'base64url').toString() : '')
  if (inner.ok && typeof inner.value === 'object') return leavesOf(name, inner.value)
  return text === '' ? [] : [`${name}=${text}`]
}

function leavesOf(name: string, value: JsonValue): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((element) => leavesOf(name, element))
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([inner, content]) => leavesOf(inner, content))
  }
  return typeof value === 'string' ? valuesIn(name, value) : [`${name}=${value}`]
}

/** What an API can write down about one caller. */
function logOf(world: WalletWorld, origin: string): ReadonlySet<string> {
  const calls = world.network.calls.filter(({ url }) => url.startsWith(origin))
  return new Set(
    calls.flatMap(({ headers, body }) => [
      ...[...headers].flatMap(([name, value]) => valuesIn(name, value.replace(/^DPoP /, ''))),
      ...[...parseForm(body)].flatMap(([name, value]) => valuesIn(name, value)),
    ]),
  )
}

/** What both logs have, without what says nothing about the agent. */
function common(world: WalletWorld): readonly string[] {
  const [one, two] = [logOf(world, API), logOf(world, OTHER)]
  return [...one].filter((value) => two.has(value)).sort()
}

describe('two verifiers that compare what they saw', () => {
  test('of two presentations in the clear have only type, issuer and what was asked for in common', async () => {
    const world = await createTwoApis()
    for (const { verifier } of [world, ...world.others]) {
      const options = { query: QUERY, responseMode: 'direct_post', crossDevice: true } as const
      const { requestUrl } = await verifier.startTransaction(options)
      expect(await world.wallet.present(AGENT, requestUrl)).toMatchObject({ outcome: 'delivered' })
      world.bench.time.advance(7)
    }
    const { signer } = world.bench.signing
    const shared = common(world)
    const times = shared.filter((value) => /^(iat|exp)=/.test(value))
    const fixed = [
      '_sd_alg=sha-256',
      'accept=application/json',
      'accept=application/oauth-authz-req+jwt',
      'alg=ES256',
      'content-type=application/x-www-form-urlencoded',
      'crv=P-256',
      ...times,
      `iss=${ISSUER}`,
      // Which key of the issuer, and which list of a million: both say who issued and nothing else.
      `kid=${signer.kid}`,
      ...(signer.x5c ?? []).map((certificate) => `x5c=${certificate}`),
      'kty=EC',
      'role_cred=EU',
      'role_cred=Manager',
      'role_cred=region',
      'role_cred=role',
      'typ=dc+sd-jwt',
      'typ=kb+jwt',
      `vct=${VCT}`,
    ]
    const lists = shared.filter((value) => value.startsWith(`uri=${ISSUER}/status/`))
    expect(lists).toHaveLength(1)
    expect(shared).toEqual([...fixed, ...lists].sort())
    // The day of issuance and of expiry, not the second.
    expect(times.map((value) => Number(value.slice(4)) % 86_400)).toEqual([0, 0])
    // Both saw a bound key, a place in the list, hidden claims: each its own.
    for (const name of ['x', 'idx', '_sd', 'nonce', 'sd_hash']) {
      for (const origin of [API, OTHER]) {
        expect([...logOf(world, origin)].some((value) => value.startsWith(`${name}=`))).toBe(true)
      }
    }
  })

  test('of two challenge routes have only the wallet product in common', async () => {
    const world = await createTwoApis()
    for (const origin of [API, OTHER]) {
      expect((await world.callApi(undefined, AGENT, origin)).status).toBe(200)
      world.bench.time.advance(7)
    }
    const { signer } = world.bench.provider
    expect(common(world)).toEqual(
      [
        'accept=application/json',
        // How well any agent of this kind was authenticated.
        'acr=urn:attache:acr:attested-wallet',
        'alg=ES256',
        `client_id=${CLIENT}`,
        'code_challenge_method=S256',
        'content-type=application/x-www-form-urlencoded',
        'crv=P-256',
        'grant_type=authorization_code',
        'htm=POST',
        'interaction_types_supported=urn:openid:dcp:ia:openid4vp_presentation',
        `iss=${ISSUER}`,
        'iss=https://provider.example',
        `iss=${CLIENT}`,
        `kid=${signer.kid}`,
        ...(signer.x5c ?? []).map((certificate) => `x5c=${certificate}`),
        'kty=EC',
        'query=role_cred',
        'response_type=code',
        `scope=${SCOPE}`,
        `sub=${CLIENT}`,
        'typ=at+jwt',
        'typ=dpop+jwt',
        'typ=oauth-client-attestation+jwt',
        'typ=oauth-client-attestation-pop+jwt',
        `vct=${VCT}`,
      ].sort(),
    )
  })
})

describe('an issuer that watches its status host', () => {
  test('sees the same request whichever credential is meant, once per ttl', async () => {
    const requests: string[] = []
    for (const idx of [7, 1001]) {
      const world = createWorld({}, createSeededRandom(`index ${idx}`))
      const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
      const holder = await createWallet({ claims: { status: { status_list: { idx, uri: STATUS_URI } } } })
      const token = await obtainToken(world, holder)
      for (let nth = 0; nth < 20; nth += 1) {
        expect(await gate(await call(world, token, { dpop: holder.dpop }))).toMatchObject({ allowed: true })
      }
      expect(world.network.calls).toHaveLength(1)
      const [asked] = world.network.calls
      requests.push(JSON.stringify([asked?.method, asked?.url, [...(asked?.headers ?? [])], asked?.body]))
    }
    expect(requests[0]).toBe(requests[1])
    expect(requests[0]).toContain(STATUS_URI)
    expect(requests[0]).not.toContain('idx')
  })
})
