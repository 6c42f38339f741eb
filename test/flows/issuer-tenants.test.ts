/**
 * Two issuers of one process, over one store and one seal: nothing of the one is good at the other.
 *
 * Every request is right for the issuer it goes to (client, audience, target of the proof); one thing in it
 * comes from the other. Afterwards that thing is still good at home.
 *
 * @module
 */
import { createMemoryStore, type JsonObject } from '@attache/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  base,
  bodyOf,
  clientHeaders,
  createIssuerBench,
  createWallet,
  type IssuerBench,
  keyProof,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  postForm,
  postWithToken,
  requestCredential,
  requestToken,
  type ScriptedWallet,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'
import { CALLBACK, GOOD, PKCE, REQUEST } from './issuer-browser.js'

interface Side {
  readonly bench: IssuerBench
  readonly wallet: ScriptedWallet
}

let home: Side
let away: Side

const LATER = `${TEMPLATE.replace('id: agent-role', 'id: later-role').replace('agent-role/v1', 'later-role/v1')}issuance: deferred\n`

beforeEach(async () => {
  const store = createMemoryStore({ clock: () => NOW })
  const shared = {
    store,
    grants: ['pre-authorized_code', 'authorization_code'],
    templates: [TEMPLATE, LATER],
    notifications: true,
    refreshTokenSeconds: 86_400,
  } as const
  const [first, second] = await Promise.all([
    createIssuerBench({ ...shared, tenant: 'hr', credentialIssuer: 'https://issuer.example/hr', seed: 'hr' }),
    createIssuerBench({
      ...shared,
      tenant: 'plant',
      credentialIssuer: 'https://issuer.example/plant',
      seed: 'plant',
    }),
  ])
  const wallet = await createWallet(first)
  home = { bench: first, wallet }
  away = { bench: second, wallet }
})

async function outcome(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, (await bodyOf(response))['error']]
}

const GRANT = [400, 'invalid_grant']

describe('what belongs to one issuer is nothing at another', () => {
  test('a pre-authorized code', async () => {
    const { code, txCode } = await offerCode(home.bench)
    const at = async ({ bench, wallet }: Side) =>
      outcome(await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode }))
    expect(await at(away)).toEqual(GRANT)
    expect(await at(home)).toEqual([200, undefined])
  })

  test('an offer by reference', async () => {
    const { credentialOfferUri = '' } = await home.bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'reference' },
      NOW,
    )
    expect((await away.bench.send(credentialOfferUri.replace('/hr/', '/plant/'))).status).toBe(404)
    expect((await home.bench.send(credentialOfferUri)).status).toBe(200)
  })

  test('an access token', async () => {
    const { token } = await obtainToken(home.bench, home.wallet)
    const refused = await requestCredential(away.bench, away.wallet, token)
    expect(await outcome(refused)).toEqual([401, 'invalid_token'])
    expect((await requestCredential(home.bench, home.wallet, token)).status).toBe(200)
  })

  test('a refresh token', async () => {
    const { body } = await obtainToken(home.bench, home.wallet)
    const at = async ({ bench, wallet }: Side) => {
      const headers = await clientHeaders(bench, wallet, `${base(bench)}/token`)
      const form = { grant_type: 'refresh_token', refresh_token: textOf(body, 'refresh_token') }
      return outcome(await postForm(bench, '/token', form, headers))
    }
    expect(await at(away)).toEqual(GRANT)
    expect(await at(home)).toEqual([200, undefined])
  })

  test('a c_nonce', async () => {
    const nonce = await obtainNonce(home.bench)
    const at = async ({ bench, wallet }: Side) => {
      const { token } = await obtainToken(bench, wallet)
      const jwt = [await keyProof(bench, newSigner(), { nonce })]
      return outcome(await requestCredential(bench, wallet, token, { proofs: { jwt } }))
    }
    expect(await at(away)).toEqual([400, 'invalid_nonce'])
    expect(await at(home)).toEqual([200, undefined])
  })

  test('a transaction_id and a notification_id', async () => {
    const ask = async ({ bench, wallet }: Side, configuration: string) => {
      const { token } = await obtainToken(bench, wallet)
      const wanted = { credential_configuration_id: configuration }
      return { token, body: await bodyOf(await requestCredential(bench, wallet, token, wanted)) }
    }
    const later = await ask(home, 'later-role')
    const issued = await ask(home, 'agent-role')
    const stranger = (await obtainToken(away.bench, away.wallet)).token
    const at = async ({ bench, wallet }: Side, call: { token: string; path: string; body: JsonObject }) =>
      outcome(await postWithToken(bench, wallet, call))
    const poll = { path: '/deferred', body: { transaction_id: textOf(later.body, 'transaction_id') } }
    const event = { notification_id: textOf(issued.body, 'notification_id'), event: 'credential_accepted' }
    expect(await at(away, { token: stranger, ...poll })).toEqual([400, 'invalid_transaction_id'])
    expect(await at(home, { token: later.token, ...poll })).toEqual([202, undefined])
    const note = { path: '/notification', body: event }
    expect(await at(away, { token: stranger, ...note })).toEqual([400, 'invalid_notification_id'])
    expect((await at(home, { token: issued.token, ...note }))[0]).toBe(204)
  })

  test('a client attestation PoP', async () => {
    const { code, txCode } = await offerCode(away.bench)
    const ours = await clientHeaders(away.bench, away.wallet, `${base(away.bench)}/token`)
    const theirs = await clientHeaders(home.bench, home.wallet, `${base(home.bench)}/token`)
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
      'pre-authorized_code': code,
      tx_code: txCode,
    }
    const name = 'OAuth-Client-Attestation-PoP'
    const mixed = { ...ours, [name]: theirs[name] ?? '' }
    expect(await outcome(await postForm(away.bench, '/token', form, mixed))).toEqual([401, 'invalid_client'])
    expect((await postForm(away.bench, '/token', form, ours)).status).toBe(200)
  })

  test('a request_uri, a page and an authorization code', async () => {
    const push = async ({ bench, wallet }: Side) => {
      const headers = await clientHeaders(bench, wallet, `${base(bench)}/par`)
      const scope = `${base(bench)}/types/agent-role/v1`
      return textOf(
        await bodyOf(await postForm(bench, '/par', { ...REQUEST, scope }, headers)),
        'request_uri',
      )
    }
    const [requestUri, otherUri] = [await push(home), await push(away)]
    const arrive = async ({ bench, wallet }: Side, uri: string) => {
      const query = new URLSearchParams({ client_id: wallet.clientId, request_uri: uri })
      const response = await bench.send(`${base(bench)}/authorize?${query}`)
      const cookie = response.headers.get('Set-Cookie')?.split(';')[0] ?? ''
      return { status: response.status, html: await response.text(), cookie }
    }
    const foreign = await arrive(away, requestUri)
    expect([foreign.status, foreign.html.includes('invalid_request_uri')]).toEqual([400, true])

    const shown = await arrive(home, requestUri)
    expect((await arrive(away, otherUri)).status).toBe(200)
    const submit = async (
      { bench }: Side,
      step: string,
      from: { html: string; cookie: string },
      fields: Readonly<Record<string, string>>,
    ) => {
      const interaction = /name="interaction" value="([^"]+)"/.exec(from.html)?.[1] ?? ''
      const headers = { Cookie: from.cookie }
      const response = await postForm(bench, `/authorize/${step}`, { interaction, ...fields }, headers)
      const location = response.headers.get('Location')
      return { status: response.status, location, html: await response.text(), cookie: from.cookie }
    }
    const crossed = await submit(away, 'sign-in', shown, GOOD)
    expect([crossed.status, crossed.html.includes('data-error="invalid_request"')]).toEqual([400, true])
    const consent = await submit(home, 'sign-in', shown, GOOD)
    const choice = { agent: 'payroll-export', decision: 'approve' }
    expect((await submit(away, 'decision', consent, choice)).status).toBe(400)
    const decided = await submit(home, 'decision', consent, choice)

    const code = new URL(decided.location ?? '').searchParams.get('code') ?? ''
    const redeem = async ({ bench, wallet }: Side) => {
      const headers = await clientHeaders(bench, wallet, `${base(bench)}/token`)
      const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK }
      return outcome(await postForm(bench, '/token', { ...form, code_verifier: PKCE.codeVerifier }, headers))
    }
    expect(await redeem(away)).toEqual(GRANT)
    expect(await redeem(home)).toEqual([200, undefined])
  })

  test('a credential: only its issuer finds and changes it', async () => {
    const { token } = await obtainToken(home.bench, home.wallet)
    expect((await requestCredential(home.bench, home.wallet, token)).status).toBe(200)
    const [entry] = await home.bench.issuer.listCredentials({ limit: 10 })
    const id = entry?.id ?? ''
    expect(await away.bench.issuer.listCredentials({ limit: 10 })).toEqual([])
    for (const query of [
      { by: 'id', id },
      { by: 'agent', agent: 'payroll-export' },
      { by: 'owner', owner: 'E-10442' },
    ] as const) {
      await expect(away.bench.issuer.changeStatus(query, 'invalid')).rejects.toMatchObject({
        code: 'unknown_credential',
      })
    }
    expect(await home.bench.issuer.changeStatus({ by: 'id', id }, 'invalid')).toHaveLength(1)
  })

  test('a server nonce and an attestation challenge', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const options = { store, dpopNonces: true, attestation: { challenges: true } } as const
    const [first, second] = await Promise.all(
      ['hr', 'plant'].map((tenant) =>
        createIssuerBench({
          ...options,
          tenant,
          credentialIssuer: `https://issuer.example/${tenant}`,
          seed: tenant,
        }),
      ),
    )
    if (first === undefined || second === undefined) throw new Error('Two issuers were made.')
    const wallet = await createWallet(first)
    const learn = async (bench: IssuerBench) => {
      const answer = await bench.send(`${base(bench)}/challenge`, { method: 'POST' })
      const challenge = textOf(await bodyOf(answer), 'attestation_challenge')
      return { challenge, nonce: answer.headers.get('DPoP-Nonce') ?? '' }
    }
    const [ours, theirs] = [await learn(second), await learn(first)]
    const { code, txCode } = await offerCode(second)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const ask = async (extra: { nonce: string; challenge: string }) =>
      outcome(await requestToken(second, wallet, parameters, extra))
    expect(await ask({ ...ours, challenge: theirs.challenge })).toEqual([400, 'use_attestation_challenge'])
    expect(await ask({ ...ours, nonce: theirs.nonce })).toEqual([400, 'use_dpop_nonce'])
    expect(await ask(ours)).toEqual([200, undefined])
  })

  test('status lists: their addresses differ, and each is signed for its own', async () => {
    const uriOf = async ({ bench, wallet }: Side) => {
      const { token } = await obtainToken(bench, wallet)
      await requestCredential(bench, wallet, token)
      const [entry] = await bench.issuer.listCredentials({ limit: 1 })
      return entry?.status?.uri ?? ''
    }
    const [first, second] = [await uriOf(home), await uriOf(away)]
    expect(first.startsWith('https://issuer.example/hr/status/')).toBe(true)
    expect(second.startsWith('https://issuer.example/plant/status/')).toBe(true)
    expect((await away.bench.send(first)).status).toBe(404)
  })
})
