/**
 * A store may forget late: what has ended is refused by its own time, not because it is gone.
 *
 * The store's clock stands still here, so nothing ever leaves it.
 *
 * Source: the house design, section Ports (expiry is a promise to forget, not a check).
 *
 * @module
 */
import { createMemoryStore } from '@attache/core'
import { parseCredentialOfferUri } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { type BenchOptions, bodyOf, CLIENT_ID, ISSUER } from './issuer-bench.js'
import { arrive, CALLBACK, codeOf, PKCE, pushed } from './issuer-browser.js'
import {
  body,
  codeDraft,
  createStage,
  credentialDraft,
  type Draft,
  parDraft,
  type Stage,
  send,
  tokenDraft,
} from './issuer-draft.js'
import { aged, both, inForm } from './issuer-faults.js'

const stageOf = (options: BenchOptions = {}): Promise<Stage> =>
  createStage('haip', { store: createMemoryStore({ clock: () => NOW }), ...options })

/** Sends a draft some seconds later, with proofs of that time. */
async function sentLater(stage: Stage, draft: Draft, seconds: number): Promise<readonly [number, unknown]> {
  stage.bench.time.advance(seconds)
  await both(aged('pop', 0), aged('dpop', 0))(draft, stage)
  const response = await send(stage, draft)
  return [response.status, (await bodyOf(response))['error']]
}

describe('a store that forgets late', () => {
  test('does not keep an offer alive', async () => {
    const stage = await stageOf()
    const { credentialOfferUri = '' } = await stage.bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'reference', grant: 'pre-authorized_code' },
      NOW,
    )
    const draft = await codeDraft(stage)
    expect((await stage.bench.send(credentialOfferUri)).status).toBe(200)
    expect(await sentLater(stage, draft, 600)).toEqual([400, 'invalid_grant'])
    expect((await stage.bench.send(credentialOfferUri)).status).toBe(404)
  })

  test('does not keep an issuer_state alive', async () => {
    const stage = await stageOf()
    const { uri } = await stage.bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'value', grant: 'authorization_code', configurationIds: ['agent-role'] },
      NOW,
    )
    const carried = parseCredentialOfferUri(uri)
    const issuerState =
      carried.by === 'value' ? (carried.offer.grants?.authorizationCode?.issuerState ?? '') : ''
    const asking = () => {
      const draft = parDraft(stage)
      return { ...draft, form: { ...draft.form, issuer_state: issuerState } }
    }
    expect((await send(stage, asking())).status).toBe(201)
    // An offer of one credential says nothing about another one.
    const other: Draft = asking()
    await inForm({ scope: `${ISSUER}/types/other-role/v1` })(other, stage)
    expect((await bodyOf(await send(stage, other)))['error']).toBe('invalid_request')
    expect(await sentLater(stage, asking(), 600)).toEqual([400, 'invalid_request'])
  })

  test('the code of an offer is no issuer_state', async () => {
    const stage = await stageOf()
    const { form } = await codeDraft(stage)
    const draft = parDraft(stage)
    draft.form = { ...draft.form, issuer_state: form?.['pre-authorized_code'] ?? '' }
    expect((await bodyOf(await send(stage, draft)))['error']).toBe('invalid_request')
  })

  test('does not keep an access token alive', async () => {
    const stage = await stageOf()
    const draft = await credentialDraft(stage)
    expect(await sentLater(stage, draft, 600)).toEqual([401, 'invalid_token'])
  })

  test('does not keep a refresh token alive, nor one that was replaced', async () => {
    const options = { mode: 'base', refreshTokenSeconds: 300, refreshRotationGraceSeconds: 30 } as const
    const stage = await stageOf(options)
    const refresh = (token: unknown) =>
      tokenDraft(stage, { grant_type: 'refresh_token', refresh_token: String(token) })
    const first = (await body(stage, await codeDraft(stage)))['refresh_token']
    const second = (await body(stage, refresh(first)))['refresh_token']
    expect(await sentLater(stage, refresh(first), 29)).toEqual([200, undefined])
    expect(await sentLater(stage, refresh(first), 1)).toEqual([400, 'invalid_grant'])
    expect(await sentLater(stage, refresh(second), 60)).toEqual([200, undefined])
    // However often it was replaced, the grant ends when the first token would have ended.
    expect(await sentLater(stage, refresh(second), 210)).toEqual([400, 'invalid_grant'])
  })

  test('the last of many refresh tokens ends with the first', async () => {
    const options = { mode: 'base', refreshTokenSeconds: 300, refreshRotationGraceSeconds: 30 } as const
    const stage = await stageOf(options)
    let token = (await body(stage, await codeDraft(stage)))['refresh_token']
    for (let turn = 0; turn < 3; turn += 1) {
      stage.bench.time.advance(99)
      const draft = tokenDraft(stage, { grant_type: 'refresh_token', refresh_token: String(token) })
      token = (await body(stage, draft))['refresh_token']
    }
    const last = tokenDraft(stage, { grant_type: 'refresh_token', refresh_token: String(token) })
    expect(await sentLater(stage, last, 3)).toEqual([400, 'invalid_grant'])
  })

  test('does not keep a request_uri or an authorization code alive', async () => {
    const stage = await stageOf()
    const requestUri = await pushed(stage)
    const redeeming = async () =>
      tokenDraft(stage, {
        grant_type: 'authorization_code',
        code: await codeOf(stage, { client_id: CLIENT_ID }),
        redirect_uri: CALLBACK,
        code_verifier: PKCE.codeVerifier,
      })
    const draft = await redeeming()
    expect((await arrive(stage, requestUri)).status).toBe(200)
    expect(await sentLater(stage, draft, 60)).toEqual([400, 'invalid_grant'])
    expect((await arrive(stage, requestUri)).status).toBe(400)
    expect(await sentLater(stage, await redeeming(), 59)).toEqual([200, undefined])
  })
})
