import { encodeBase64url, isJsonObject, type JsonObject, utf8 } from '@attache/core'
import { createSoftwareSigner, digest, generatePrivateJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { decoded, VCT } from '../support/scripted-issuer.js'
import {
  createPresentationWorld,
  type PresentationOptions,
  type PresentationWorld,
  shown,
} from '../support/scripted-verifier.js'

const types = [
  { type: 'payment', required: { amount: 'number' }, optional: { note: 'string' } },
  { type: 'order', required: { items: 'array' } },
] as const
const payment = { type: 'payment', credential_ids: ['a'], amount: 40 }
const sent = (entry: unknown) => encodeBase64url(utf8(JSON.stringify(entry)))
const asks = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  format: 'dc+sd-jwt',
  meta: { vct_values: [VCT] },
  claims: [{ path: ['role'] }],
  ...more,
})
const mandate = [
  { id: 'present', effect: 'allow', actions: ['present'] },
  {
    id: 'small-payments',
    effect: 'allow',
    actions: ['agree'],
    when: [
      { path: ['context', 'type'], op: 'equals', value: 'payment' },
      { path: ['context', 'data', 'amount'], op: 'in', value: [10, 40] },
    ],
  },
]

async function ask(
  entries: readonly string[],
  {
    credentials = [asks('a'), asks('b')],
    ...options
  }: PresentationOptions & { credentials?: JsonObject[] } = {},
): Promise<PresentationWorld> {
  const world = await createPresentationWorld({
    rules: () => mandate,
    ...options,
    wallet: { profile: 'base', transactionDataTypes: types, ...options.wallet },
  })
  world.perform({
    query: { credentials },
    request: (parameters) => ({ ...parameters, transaction_data: [...entries] }),
  })
  return world
}

async function bindings(world: PresentationWorld): Promise<Record<string, JsonObject>> {
  expect(await world.present()).toMatchObject({ outcome: 'delivered' })
  const token = await world.vpToken()
  return Object.fromEntries(
    Object.entries(token).map(([id, [presentation]]) => [id, shown(presentation).keyBinding.payload]),
  )
}

async function expectRefusal(world: PresentationWorld, code: string): Promise<void> {
  expect(await world.present()).toMatchObject({ outcome: 'refused' })
  expect(await world.reason()).toBe(code)
  expect(world.to('/response').every(({ body }) => !String(body).includes('vp_token'))).toBe(true)
}

describe('transaction data', () => {
  test('is signed as the hash of the text that was received [VP-W-TXD-04] [VP-W-TXD-05]', async () => {
    // White space and member order are the sender's: what is hashed is the text, not its meaning.
    const text = encodeBase64url(utf8('{ "amount": 40,  "credential_ids":["a"], "type":"payment" }'))
    const plain = await bindings(await ask([text, sent(payment)]))
    expect(plain['a']).toMatchObject({
      transaction_data_hashes: [digest('sha-256', text), digest('sha-256', sent(payment))],
    })
    expect(plain['a']).not.toHaveProperty('transaction_data_hashes_alg')

    for (const [list, chosen] of [
      [['sha-512', 'sha-256'], 'sha-256'],
      [['sha-999', 'sha-384'], 'sha-384'],
    ] as const) {
      const entry = sent({ ...payment, transaction_data_hashes_alg: list })
      expect((await bindings(await ask([entry])))['a']).toMatchObject({
        transaction_data_hashes: [digest(chosen, entry)],
        transaction_data_hashes_alg: chosen,
      })
    }
    const entry = sent({ ...payment, transaction_data_hashes_alg: ['sha-999'] })
    await expectRefusal(await ask([entry]), 'invalid_transaction_data')
  })

  test('is signed by one credential, the first of those it names [VP-W-TXD-06]', async () => {
    const both = sent({ ...payment, credential_ids: ['b', 'a'] })
    const first = await bindings(await ask([both]))
    expect(first['b']).toHaveProperty('transaction_data_hashes', [digest('sha-256', both)])
    expect(first['a']).not.toHaveProperty('transaction_data_hashes')
  })

  test('of one presentation shares one algorithm [VP-W-TXD-07]', async () => {
    const entries = [['sha-256'], ['sha-512']].map((list) =>
      sent({ ...payment, transaction_data_hashes_alg: list }),
    )
    await expectRefusal(await ask(entries), 'invalid_transaction_data')
    const apart = [
      sent({ ...payment, transaction_data_hashes_alg: ['sha-256'] }),
      sent({ ...payment, credential_ids: ['b'], transaction_data_hashes_alg: ['sha-512'] }),
    ]
    const signed = await bindings(await ask(apart))
    expect([signed['a'], signed['b']]).toMatchObject([
      { transaction_data_hashes_alg: 'sha-256' },
      { transaction_data_hashes_alg: 'sha-512' },
    ])
  })

  test('is agreed to only under a mandate that names its type and limits [VP-W-TXD-08]', async () => {
    expect(await bindings(await ask([sent({ ...payment, amount: 10 })]))).toHaveProperty('a')
    for (const entry of [
      { ...payment, amount: 41 },
      { type: 'order', credential_ids: ['a'], items: [] },
    ]) {
      await expectRefusal(await ask([sent(payment), sent(entry)]), 'no_rule')
    }
    await expectRefusal(await ask([sent(payment)], { rules: () => mandate.slice(0, 1) }), 'no_rule')
  })

  test('of an unknown type, or with other members than its type has, ends the request [VP-W-TXD-01] [VP-W-TXD-02]', async () => {
    for (const bad of [
      { ...payment, type: 'mortgage' },
      { ...payment, amount: '40' },
      { ...payment, amount: null },
      { type: 'payment', credential_ids: ['a'] },
      { ...payment, iban: 'AT00' },
      { ...payment, note: 7 },
      { ...payment, constructor: 'x' },
      { ...payment, credential_ids: ['z'] },
      { ...payment, credential_ids: [] },
    ]) {
      await expectRefusal(await ask([sent(payment), sent(bad)]), 'invalid_transaction_data')
    }
    await expectRefusal(await ask(['e30'], {}), 'invalid_transaction_data')
    await expectRefusal(await ask([sent(payment)], { holding: false }), 'no_credential')
  })

  test('needs holder binding in the query it names [VP-W-TXD-03]', async () => {
    const credentials = [asks('a', { require_cryptographic_holder_binding: false })]
    await expectRefusal(await ask([sent(payment)], { credentials }), 'invalid_transaction_data')
    const bound = [asks('a', { require_cryptographic_holder_binding: true })]
    expect(await bindings(await ask([sent(payment)], { credentials: bound }))).toHaveProperty('a')
  })
})

describe('a request of a client under a DID', () => {
  test('is signed with the key that the DID gives [VP-W-CID-10]', async () => {
    const jwk = generatePrivateJwk('ES256')
    const signer = createSoftwareSigner(jwk)
    const did = `did:jwk:${encodeBase64url(utf8(JSON.stringify(signer.publicJwk)))}`
    const clientId = `decentralized_identifier:${did}`
    for (const [kid, outcome] of [
      [`${did}#0`, 'delivered'],
      [`${did}#1`, 'refused'],
    ] as const) {
      const world = await createPresentationWorld({
        trust: { clientId, anchors: undefined },
        rules: () => mandate,
        verifierScript: {
          signer,
          request: (parameters) => ({ ...parameters, client_id: clientId }),
          requestHeader: ({ x5c: _none, ...header }) => ({ ...header, kid }),
        },
      })
      expect(await world.present({ client_id: clientId })).toMatchObject({ outcome })
    }
  })
})

describe('wallet metadata', () => {
  test('names the format with its algorithms [VP-W-MD-01]', async () => {
    const world = await createPresentationWorld()
    await world.present({ request_uri_method: 'post' })
    const posted = new URLSearchParams(world.to('/request')[0]?.body).get('wallet_metadata')
    const metadata: unknown = JSON.parse(posted ?? '{}')
    const formats = isJsonObject(metadata) ? metadata['vp_formats_supported'] : undefined
    expect(formats).toEqual({
      'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
    })
    const [presentation] = (await world.vpToken())['role_cred'] ?? []
    const [credential = ''] = (presentation ?? '').split('~')
    expect(decoded(credential).header['alg']).toBe('ES256')
    expect(shown(presentation).keyBinding.header['alg']).toBe('ES256')
  })
})
