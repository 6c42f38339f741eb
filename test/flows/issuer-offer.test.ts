import { selectByPath } from '@attache/core'
import { makeCredentialOffer, makeCredentialOfferUri, parseCredentialOfferUri } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import {
  bodyOf,
  createIssuerBench,
  createWallet,
  ISSUER,
  offerCode,
  requestCredential,
  requestToken,
  textOf,
} from './issuer-bench.js'

const OFFERS = 't/default/issuer/offer/'

describe('credential offers of the issuer', () => {
  test('a link carries the offer or its reference, never both [VCI-I-OFFER-01, VCI-I-OFFER-15]', async () => {
    const { issuer, time } = await createIssuerBench()
    for (const by of ['value', 'reference'] as const) {
      const { uri } = await issuer.createOffer({ agent: 'payroll-export', by }, time.clock())
      expect(uri.startsWith('openid-credential-offer://?')).toBe(true)
      const names = [...new URL(uri).searchParams.keys()]
      expect(names).toEqual([by === 'value' ? 'credential_offer' : 'credential_offer_uri'])
    }
  })

  test('a reference is an https URL, and an http identifier stops the start [VCI-I-OFFER-02, VCI-I-META-01]', async () => {
    expect(() =>
      makeCredentialOfferUri({ by: 'reference', credentialOfferUri: 'http://issuer.example/offers/x' }),
    ).toThrow(expect.objectContaining({ code: 'message_refused' }))
    for (const credentialIssuer of ['http://issuer.example', `${ISSUER}?x`, `${ISSUER}#x`, `${ISSUER}?`]) {
      await expect(createIssuerBench({ credentialIssuer })).rejects.toBeInstanceOf(TypeError)
    }
    const { issuer, time } = await createIssuerBench()
    const created = await issuer.createOffer({ agent: 'payroll-export', by: 'reference' }, time.clock())
    expect(created.credentialOfferUri).toMatch(/^https:\/\/issuer\.example\/acme\/offers\/[\w-]{43}$/)
  })

  test('names the issuer byte for byte, and no authorization server when there is one [VCI-I-OFFER-03, VCI-I-OFFER-06]', async () => {
    for (const credentialIssuer of [ISSUER, 'https://Issuer.Example:8443/Acme/']) {
      const bench = await createIssuerBench({
        credentialIssuer,
        grants: ['pre-authorized_code', 'authorization_code'],
      })
      for (const grant of ['pre-authorized_code', 'authorization_code'] as const) {
        const created = await bench.issuer.createOffer(
          { agent: 'payroll-export', by: 'value', grant },
          bench.time.clock(),
        )
        const offer = JSON.parse(new URL(created.uri).searchParams.get('credential_offer') ?? '{}')
        const stored = await bench.issuer.createOffer(
          { agent: 'payroll-export', by: 'reference', grant },
          bench.time.clock(),
        )
        const fetched = await bodyOf(await bench.send(stored.credentialOfferUri ?? ''))
        for (const carried of [offer, fetched]) {
          expect(carried.credential_issuer).toBe(credentialIssuer)
          // The issuer is its own and only authorization server: there is no choice to be told.
          expect(JSON.stringify(carried)).not.toContain('authorization_server')
        }
      }
      const [path] = [new URL(credentialIssuer).pathname]
      const url = `${new URL(credentialIssuer).origin}/.well-known/openid-credential-issuer${path}`
      const metadata = await bodyOf(await bench.send(url))
      expect(metadata['credential_issuer']).toBe(credentialIssuer)
      expect(metadata).not.toHaveProperty('authorization_servers')
    }
  })

  test.each([
    ['an unknown id', { configurationIds: ['nothing'] }, 'unknown_configuration'],
    ['an id twice', { configurationIds: ['agent-role', 'agent-role'] }, 'unknown_configuration'],
    ['no id', { configurationIds: [] }, 'unknown_configuration'],
    ['a grant that is off', { grant: 'authorization_code' }, 'grant_not_offered'],
    ['an unknown agent', { agent: 'nobody' }, 'unknown_agent'],
  ] as const)('refuses %s and stores nothing [VCI-I-OFFER-04, VCI-I-OFFER-05]', async (_, changes, code) => {
    const { issuer, time, store } = await createIssuerBench()
    const wanted = { agent: 'payroll-export', by: 'value', ...changes } as const
    await expect(issuer.createOffer(wanted, time.clock())).rejects.toMatchObject({ code })
    expect(await store.list(OFFERS)).toEqual([])
  })

  test('a pre-authorized code works once, and not after its lifetime [VCI-I-OFFER-07, VCI-I-TK-04]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    expect((await requestToken(bench, wallet, parameters)).status).toBe(200)
    const second = await requestToken(bench, wallet, parameters)
    expect([second.status, (await bodyOf(second))['error']]).toEqual([400, 'invalid_grant'])

    const late = await offerCode(bench)
    bench.time.advance(600)
    const expired = await requestToken(bench, wallet, {
      'pre-authorized_code': late.code,
      tx_code: late.txCode,
    })
    expect([expired.status, (await bodyOf(expired))['error']]).toEqual([400, 'invalid_grant'])
  })

  test('announces a transaction code exactly when one is demanded [VCI-I-OFFER-08]', async () => {
    const demanding = await createIssuerBench()
    const { code, txCode } = await offerCode(demanding)
    expect(txCode).toMatch(/^\d{6}$/)
    const without = await requestToken(demanding, await createWallet(demanding), {
      'pre-authorized_code': code,
    })
    expect([without.status, (await bodyOf(without))['error']]).toEqual([400, 'invalid_request'])

    const plain = await createIssuerBench({ transactionCode: null })
    const created = await plain.issuer.createOffer(
      { agent: 'payroll-export', by: 'value' },
      plain.time.clock(),
    )
    expect(created.uri).not.toContain('tx_code')
    const open = await offerCode(plain)
    expect(
      (await requestToken(plain, await createWallet(plain), { 'pre-authorized_code': open.code })).status,
    ).toBe(200)
  })

  test('100 transaction codes obey mode and length, and a description has at most 300 characters [VCI-I-OFFER-09]', async () => {
    for (const [inputMode, pattern] of [
      ['numeric', /^\d{8}$/],
      ['text', /^[0-9A-Z]{8}$/],
    ] as const) {
      const bench = await createIssuerBench({ transactionCode: { inputMode, length: 8 } })
      const codes = await Promise.all(Array.from({ length: 100 }, () => offerCode(bench)))
      expect(codes.every(({ txCode }) => pattern.test(txCode))).toBe(true)
      expect(new Set(codes.map(({ txCode }) => txCode)).size).toBe(100)
    }
    const offer = (description: string) => ({
      credentialIssuer: ISSUER,
      credentialConfigurationIds: ['a'],
      grants: {
        preAuthorizedCode: { preAuthorizedCode: 'c', txCode: { inputMode: 'text' as const, description } },
      },
    })
    expect(() => makeCredentialOffer(offer('x'.repeat(301)))).toThrow(
      expect.objectContaining({ code: 'message_refused' }),
    )
    expect(makeCredentialOffer(offer('x'.repeat(300)))).toBeDefined()
  })

  test('the offer, its link and its answer never hold the transaction code [VCI-I-OFFER-10, VCI-I-OFFER-14]', async () => {
    const bench = await createIssuerBench({ transactionCode: { inputMode: 'text', length: 12 } })
    const created = await bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'reference' },
      bench.time.clock(),
    )
    const served = await (await bench.send(created.credentialOfferUri ?? '')).text()
    for (const text of [created.uri, served]) {
      expect(text).not.toContain(created.txCode)
      expect(text).not.toMatch(/payroll|Okafor|Ngozi|E-10442|Manager|Sales/)
    }
  })

  test('an offer by reference is plain JSON that nobody keeps, whatever is accepted [VCI-I-OFFER-11, VCI-I-OFFER-12]', async () => {
    const bench = await createIssuerBench()
    const wanted = { agent: 'payroll-export', by: 'reference' } as const
    const first = await bench.issuer.createOffer(wanted, bench.time.clock())
    const second = await bench.issuer.createOffer(wanted, bench.time.clock())
    expect(first.credentialOfferUri).not.toBe(second.credentialOfferUri)
    for (const accept of ['application/json', 'application/jwt', '*/*']) {
      const answer = await bench.send(first.credentialOfferUri ?? '', { headers: { Accept: accept } })
      expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/json'])
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
      expect(await bodyOf(answer)).toHaveProperty('credential_configuration_ids', ['agent-role'])
    }
    expect((await bench.send(`${ISSUER}/offers/${'x'.repeat(43)}`)).status).toBe(404)
    bench.time.advance(600)
    expect((await bench.send(first.credentialOfferUri ?? '')).status).toBe(404)
  })

  test('pre-authorized codes without any protection stop the start [VCI-I-OFFER-13]', async () => {
    const naked = {
      mode: 'base',
      transactionCode: null,
      clientAuthentication: { method: 'none', anonymousAccess: true },
    } as const
    await expect(createIssuerBench(naked)).rejects.toMatchObject({ code: 'issuer_protection' })
    await expect(
      createIssuerBench({ ...naked, transactionCode: { inputMode: 'numeric' } }),
    ).resolves.toBeDefined()
  })

  test('another scheme or an https endpoint may be chosen per offer [VCI-I-OFFER-16]', async () => {
    const { issuer, time } = await createIssuerBench()
    for (const endpoint of ['haip-vci://', 'https://wallet.example/offer?from=hr']) {
      const { uri } = await issuer.createOffer(
        { agent: 'payroll-export', by: 'value', endpoint },
        time.clock(),
      )
      expect(uri.startsWith(endpoint)).toBe(true)
      expect(parseCredentialOfferUri(uri).by).toBe('value')
    }
  })

  test('the same offer completes as a link of either kind, on this device or another [VCI-I-OFFER-17]', async () => {
    const bench = await createIssuerBench()
    for (const by of ['value', 'reference'] as const) {
      const created = await bench.issuer.createOffer({ agent: 'payroll-export', by }, bench.time.clock())
      const carried = parseCredentialOfferUri(created.uri)
      const wire =
        carried.by === 'value'
          ? makeCredentialOffer(carried.offer)
          : await bodyOf(await bench.send(carried.credentialOfferUri))
      const path = [
        'grants',
        'urn:ietf:params:oauth:grant-type:pre-authorized_code',
        'pre-authorized_code',
      ] as const
      const code = String(selectByPath(wire, path)?.[0])
      const wallet = await createWallet(bench)
      const granted = await requestToken(bench, wallet, {
        'pre-authorized_code': code,
        tx_code: created.txCode ?? '',
      })
      const token = textOf(await bodyOf(granted), 'access_token')
      expect((await requestCredential(bench, wallet, token)).status).toBe(200)
    }
  })

  test('an authorization code can be offered, and the wallet finds the scope in the metadata [VCI-I-OFFER-18, VCI-I-META-13]', async () => {
    const bench = await createIssuerBench({ grants: ['authorization_code'] })
    const created = await bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'value' },
      bench.time.clock(),
    )
    expect(Object.keys(created.offer?.grants?.authorizationCode ?? {})).toEqual(['issuerState'])
    const metadata = await bodyOf(
      await bench.send('https://issuer.example/.well-known/openid-credential-issuer/acme'),
    )
    const path = ['credential_configurations_supported', 'agent-role', 'scope'] as const
    expect(selectByPath(metadata, path)).toEqual([`${ISSUER}/types/agent-role/v1`])

    const other = (vct: string) =>
      `id: ${vct}\nversion: 1\nvct: urn:example:${vct}\nscope: one\nname: N\nlifetime_days: 1\nclaims: [{ name: a, from: agent.id }]\n`
    await expect(createIssuerBench({ templates: [other('a'), other('b')] })).rejects.toMatchObject({
      code: 'issuer_templates',
    })
  })
})
