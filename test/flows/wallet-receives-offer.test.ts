import type { JsonObject, JsonValue } from '@attache/core'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import {
  AGENT,
  answer,
  CODE_OFFER,
  createScriptedWorld,
  ISSUER,
  METADATA,
  OFFER,
  ORIGIN,
  offerLink,
  SERVER,
  TX_CODE,
  within,
} from '../support/scripted-issuer.js'

const refused = (code: string) => ({ outcome: 'refused', code })
const reference = (uri: string) =>
  `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(uri)}`
const byReference = reference(`${ISSUER}/offer`)

describe('a credential offer', () => {
  test('is taken by value or by reference, and in no other way [VCI-W-OFFER-01]', async () => {
    const world = await createScriptedWorld()
    const both = `${offerLink(OFFER)}&credential_offer_uri=${encodeURIComponent(`${ISSUER}/offer`)}`
    expect(await world.wallet.receive(AGENT, both, TX_CODE)).toMatchObject(refused('invalid_offer'))
    expect(await world.wallet.receive(AGENT, 'openid-credential-offer://', TX_CODE)).toMatchObject(
      refused('invalid_offer'),
    )
    expect(world.network.calls).toHaveLength(0)

    expect(await world.wallet.receive(AGENT, offerLink(OFFER), TX_CODE)).toMatchObject({ outcome: 'stored' })
  })

  test('by reference must lie behind https [VCI-W-OFFER-02]', async () => {
    const world = await createScriptedWorld()
    for (const uri of [
      'http://issuer.example/acme/offer',
      'file:///etc/passwd',
      'data:application/json,{}',
    ]) {
      expect(await world.wallet.receive(AGENT, reference(uri), TX_CODE)).toMatchObject(
        refused('invalid_offer'),
      )
    }
    expect(world.network.calls).toHaveLength(0)
    expect(await world.wallet.receive(AGENT, byReference, TX_CODE)).toMatchObject({ outcome: 'stored' })
  })

  test('by reference is fetched with GET and must be JSON [VCI-W-OFFER-03]', async () => {
    const text = JSON.stringify(OFFER)
    const wrong = [
      new Response(text, { headers: { 'Content-Type': 'application/jwt' } }),
      new Response(text, { headers: { 'Content-Type': 'text/html' } }),
      answer(404, {}),
    ]
    for (const response of wrong) {
      const world = await createScriptedWorld({ script: { steps: { '/offer': () => response.clone() } } })
      expect(await world.wallet.receive(AGENT, byReference, TX_CODE)).toMatchObject(refused('invalid_offer'))
    }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, byReference, TX_CODE)).toMatchObject({ outcome: 'stored' })
    expect(world.network.calls[0]).toMatchObject({ method: 'GET', url: `${ISSUER}/offer` })
  })

  test.each<[string, JsonObject]>([
    ['no identifier', { ...OFFER, credential_issuer: 'issuer.example' }],
    ['a query in the identifier', { ...OFFER, credential_issuer: `${ISSUER}?a=b` }],
    ['no configuration', { ...OFFER, credential_configuration_ids: [] }],
    ['a configuration twice', { ...OFFER, credential_configuration_ids: ['role_v1', 'role_v1'] }],
    ['no code', { ...OFFER, grants: { [PRE_AUTHORIZED_CODE_GRANT]: {} } }],
    [
      'a long description',
      {
        ...OFFER,
        grants: {
          [PRE_AUTHORIZED_CODE_GRANT]: {
            'pre-authorized_code': 'c',
            tx_code: { description: 'x'.repeat(301) },
          },
        },
      },
    ],
  ])('with %s is refused [VCI-W-OFFER-04]', async (_name, offer) => {
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, offerLink(offer), TX_CODE)).toMatchObject(
      refused('invalid_offer'),
    )
    expect(world.network.calls).toHaveLength(0)
  })

  test('with members nobody knows goes on [VCI-W-OFFER-04] [VCI-W-OFFER-05]', async () => {
    const grant = { 'pre-authorized_code': 'code-1', tx_code: { length: 6, extra: 1 }, extra: true }
    const offer = { ...OFFER, extra: {}, grants: { [PRE_AUTHORIZED_CODE_GRANT]: grant, other: {} } }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, offerLink(offer), TX_CODE)).toMatchObject({ outcome: 'stored' })
  })

  test('of an issuer that is not configured leads to no request [VCI-W-OFFER-06] [VCI-W-OFFER-07]', async () => {
    const world = await createScriptedWorld()
    const elsewhere = { ...OFFER, credential_issuer: 'https://evil.example' }
    expect(await world.wallet.receive(AGENT, offerLink(elsewhere), TX_CODE)).toMatchObject(
      refused('untrusted_issuer'),
    )
    const link = reference('https://evil.example/offer')
    expect(await world.wallet.receive(AGENT, link, TX_CODE)).toMatchObject(refused('untrusted_issuer'))
    expect(world.network.calls).toHaveLength(0)
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('does not make a credential acceptable that fails a later check [VCI-W-OFFER-08]', async () => {
    const world = await createScriptedWorld({
      script: { claims: (claims) => ({ ...claims, vct: 'https://credentials.example/other' }) },
    })
    expect(await world.receive()).toMatchObject(refused('wrong_type'))
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [], pending: 0 })
    world.play({
      offer: () => ({
        ...OFFER,
        grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'code-2', tx_code: {} } },
      }),
    })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('names configurations of the metadata, or ends before a token is asked for [VCI-W-OFFER-09]', async () => {
    const offer = { ...OFFER, credential_configuration_ids: ['role_v1', 'role_v2'] }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, offerLink(offer), TX_CODE)).toMatchObject(
      refused('unknown_configuration'),
    )
    expect(world.calls('/token')).toHaveLength(0)
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('without grants leaves the choice to the server metadata [VCI-W-OFFER-10]', async () => {
    for (const grants of [undefined, {}]) {
      const world = await createScriptedWorld({
        script: { server: (server) => ({ ...server, grant_types_supported: ['authorization_code'] }) },
      })
      const { grants: _dropped, ...rest } = OFFER
      const offer: JsonValue = grants === undefined ? rest : { ...rest, grants }
      expect(await world.wallet.receive(AGENT, offerLink(offer))).toMatchObject({
        outcome: 'authorization_required',
      })
    }
    const world = await createScriptedWorld({
      script: { server: (server) => ({ ...server, grant_types_supported: [PRE_AUTHORIZED_CODE_GRANT] }) },
    })
    expect(await world.wallet.receive(AGENT, offerLink({ ...OFFER, grants: {} }))).toMatchObject(
      refused('no_as'),
    )
  })

  test('with both grants is taken by the configured preference [VCI-W-OFFER-11]', async () => {
    const grants = { ...within(CODE_OFFER, 'grants'), ...within(OFFER, 'grants') }
    const link = offerLink({ ...OFFER, grants })
    const first = await createScriptedWorld()
    expect(await first.wallet.receive(AGENT, link, TX_CODE)).toMatchObject({ outcome: 'stored' })
    const second = await createScriptedWorld({ issuer: { preferredGrant: 'authorization_code' } })
    expect(await second.wallet.receive(AGENT, link, TX_CODE)).toMatchObject({
      outcome: 'authorization_required',
    })
  })

  test('hands issuer_state on unchanged, and none where none was offered [VCI-W-OFFER-12]', async () => {
    const world = await createScriptedWorld()
    await world.wallet.receive(AGENT, offerLink(CODE_OFFER))
    await world.wallet.receive(AGENT, offerLink({ ...OFFER, grants: { authorization_code: {} } }))
    const [withState, without] = world.calls('/par').map(({ body }) => new URLSearchParams(body))
    expect(withState?.get('issuer_state')).toBe('IuqGiVebDEz_Kdu1pXF2sNBT')
    expect(without?.has('issuer_state')).toBe(false)
  })

  test('may hint at an authorization server of the metadata only [VCI-W-OFFER-13]', async () => {
    const hinting = (server: string) =>
      offerLink({
        ...OFFER,
        grants: {
          [PRE_AUTHORIZED_CODE_GRANT]: {
            'pre-authorized_code': 'c',
            tx_code: {},
            authorization_server: server,
          },
        },
      })
    const metadata = (document: JsonObject) => ({ ...document, authorization_servers: [ISSUER] })
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.wallet.receive(AGENT, hinting('https://evil.example'), TX_CODE)).toMatchObject(
      refused('as_mismatch'),
    )
    expect(world.calls('/token')).toHaveLength(0)
    expect(await world.wallet.receive(AGENT, hinting(ISSUER), TX_CODE)).toMatchObject({ outcome: 'stored' })
  })

  test('with a tx_code object waits for the code, even an empty object [VCI-W-OFFER-14] [VCI-W-TK-02]', async () => {
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, world.offer())).toMatchObject({ outcome: 'tx_code_required' })
    expect(world.calls('/token')).toHaveLength(0)
    await world.receive()
    expect(new URLSearchParams(world.calls('/token')[0]?.body).get('tx_code')).toBe(TX_CODE)

    const without = { ...OFFER, grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'code-2' } } }
    await world.wallet.receive(AGENT, offerLink(without), TX_CODE)
    expect(new URLSearchParams(world.calls('/token')[1]?.body).has('tx_code')).toBe(false)
  })

  test('asks for the code with everything the issuer says about it [VCI-W-OFFER-15] [VCI-W-OFFER-16]', async () => {
    const tx_code = { input_mode: 'text', length: 8, description: 'See the letter' }
    const offer = {
      ...OFFER,
      grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'c', tx_code } },
    }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, offerLink(offer))).toEqual({
      outcome: 'tx_code_required',
      issuer: ISSUER,
      tokenEndpoint: `${ISSUER}/token`,
      inputMode: 'text',
      length: 8,
      description: 'See the letter',
    })
    expect(await world.wallet.receive(AGENT, world.offer())).toMatchObject({ inputMode: 'numeric' })
  })

  test('is understood in every spelling of the link [VCI-W-OFFER-17] [VCI-W-OFFER-18]', async () => {
    for (const scheme of ['openid-credential-offer://', 'haip-vci://', 'https://agents.example/offer']) {
      const world = await createScriptedWorld()
      expect(await world.wallet.receive(AGENT, ` ${offerLink(OFFER, scheme)}\n`, TX_CODE)).toMatchObject({
        outcome: 'stored',
      })
    }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, offerLink(OFFER, 'mailto:a@b'), TX_CODE)).toMatchObject(
      refused('invalid_offer'),
    )
  })

  test('that is oversized, or redirects, ends the issuance [VCI-W-OFFER-19]', async () => {
    const big = new Response(`{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`, {
      headers: { 'Content-Type': 'application/json' },
    })
    const elsewhere = new Response(null, { status: 302, headers: { Location: 'https://169.254.169.254/' } })
    for (const response of [big, elsewhere]) {
      const world = await createScriptedWorld({ script: { steps: { '/offer': () => response } } })
      expect(await world.wallet.receive(AGENT, byReference, TX_CODE)).toMatchObject(refused('invalid_offer'))
      expect(world.network.calls).toHaveLength(1)
    }
    const world = await createScriptedWorld()
    expect(await world.wallet.receive(AGENT, byReference, TX_CODE)).toMatchObject({ outcome: 'stored' })
  })
})

describe('issuer and server metadata', () => {
  test('is fetched from the well-known place of the identifier [VCI-W-META-01] [VCI-W-META-02]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [issuer, server] = world.network.calls
    expect(issuer?.url).toBe(`${ORIGIN}/.well-known/openid-credential-issuer/acme`)
    expect(issuer?.method).toBe('GET')
    expect(issuer?.headers.get('accept')).toContain('application/json')
    expect(issuer?.headers.get('accept-language')).not.toBeNull()
    expect(server?.url).toBe(`${ORIGIN}/.well-known/oauth-authorization-server/acme`)
  })

  test('of another type or status is not used [VCI-W-META-03]', async () => {
    const path = '/.well-known/openid-credential-issuer'
    const wrong = [
      new Response(JSON.stringify(METADATA), { headers: { 'Content-Type': 'text/plain' } }),
      answer(201, METADATA),
      answer(404, {}),
    ]
    for (const response of wrong) {
      const world = await createScriptedWorld({ script: { steps: { [path]: () => response } } })
      expect(await world.receive()).toMatchObject(refused('metadata'))
      expect(world.network.calls).toHaveLength(1)
    }
  })

  test.each([
    `${ISSUER}/`,
    'https://ISSUER.example/acme',
    'https://issuer.example:443/acme',
    'https://issuer.example/Acme',
  ])('of %s is not that of the issuer asked for [VCI-W-META-04]', async (credential_issuer) => {
    const world = await createScriptedWorld({
      script: { metadata: (document) => ({ ...document, credential_issuer }) },
    })
    expect(await world.receive()).toMatchObject(refused('issuer_mismatch'))
    expect(world.network.calls).toHaveLength(1)
  })

  test('with unknown members and foreign formats stays usable [VCI-W-META-05]', async () => {
    const world = await createScriptedWorld({
      script: {
        metadata: (document) => ({
          ...document,
          extra: [1],
          credential_configurations_supported: {
            ...within(document, 'credential_configurations_supported'),
            mdoc: { format: 'mso_mdoc', doctype: 'x' },
          },
        }),
        server: (document) => ({ ...document, extra: 'x' }),
      },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test.each<[string, (document: JsonObject) => JsonObject]>([
    ['an http endpoint', (document) => ({ ...document, credential_endpoint: 'http://issuer.example/c' })],
    ['a batch of one', (document) => ({ ...document, batch_credential_issuance: { batch_size: 1 } })],
    [
      'no vct',
      (document) => ({
        ...document,
        credential_configurations_supported: { role_v1: { format: 'dc+sd-jwt', scope: 'role' } },
      }),
    ],
  ])('with %s is refused [VCI-W-META-06]', async (_name, metadata) => {
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.receive()).toMatchObject(refused('metadata'))
    expect(world.calls('/token')).toHaveLength(0)
  })

  test('names the servers; one that is not trusted or cannot do the grant is passed over [VCI-W-META-09]', async () => {
    const silent = await createScriptedWorld()
    expect(await silent.receive()).toMatchObject({ outcome: 'stored' })
    const evil = 'https://evil.example'
    const several = (document: JsonObject) => ({ ...document, authorization_servers: [evil, ISSUER] })
    const world = await createScriptedWorld({ script: { metadata: several } })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    expect(world.network.calls.some(({ url }) => url.startsWith(evil))).toBe(false)

    const onlyCode = (server: JsonObject) => ({ ...server, grant_types_supported: ['authorization_code'] })
    const unable = await createScriptedWorld({ script: { server: onlyCode } })
    expect(await unable.receive()).toMatchObject(refused('no_as'))
    const foreign = await createScriptedWorld({
      script: { metadata: (d) => ({ ...d, authorization_servers: [evil] }) },
    })
    expect(await foreign.receive()).toMatchObject(refused('no_as'))
  })

  test('of the server names exactly the server, and all its endpoints [VCI-W-META-10] [VCI-W-META-11]', async () => {
    const world = await createScriptedWorld({
      script: { server: (server) => ({ ...server, issuer: `${ISSUER}/` }) },
    })
    expect(await world.receive()).toMatchObject(refused('issuer_mismatch'))
    expect(world.calls('/token')).toHaveLength(0)

    const offered = {
      ...OFFER,
      token_endpoint: 'https://evil.example/token',
      authorization_server: 'https://evil.example',
    }
    const sound = await createScriptedWorld()
    await sound.wallet.receive(AGENT, offerLink(offered), TX_CODE)
    expect(sound.calls('/token')).toHaveLength(1)
    expect(sound.network.calls.every(({ url }) => url.startsWith(ORIGIN))).toBe(true)
  })

  test('of a server for pre-authorized codes alone is enough [VCI-W-META-12]', async () => {
    const { authorization_endpoint: _a, response_types_supported: _r, ...bare } = SERVER
    const world = await createScriptedWorld({ script: { server: () => bare } })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('leads to no image: nothing is rendered here [VCI-W-META-16]', async () => {
    const display = [{ name: 'Acme', logo: { uri: 'https://cdn.example/logo.svg' } }]
    const world = await createScriptedWorld({
      script: {
        metadata: (document) => ({
          ...document,
          display,
          credential_configurations_supported: {
            role_v1: {
              ...within(document, 'credential_configurations_supported', 'role_v1'),
              credential_metadata: {
                display: [{ name: 'Role', background_image: { uri: 'https://cdn.example/b.png' } }],
              },
            },
          },
        }),
      },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    expect(world.network.calls.every(({ url }) => url.startsWith(ORIGIN))).toBe(true)
  })

  test('without a scope ends the code flow in haip, not the pre-authorized one [VCI-W-META-13]', async () => {
    const metadata = (document: JsonObject) => {
      const { scope: _s, ...role } = within(document, 'credential_configurations_supported', 'role_v1')
      return { ...document, credential_configurations_supported: { role_v1: role } }
    }
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.wallet.receive(AGENT, offerLink(CODE_OFFER))).toMatchObject(refused('no_scope'))
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })
})
