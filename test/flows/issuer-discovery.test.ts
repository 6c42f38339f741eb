import { readdirSync, readFileSync } from 'node:fs'
import { createGuardedFetch, createMemoryStore, json, SILENT_LOG, systemRandom } from '@attache/core'
import { createVerifier } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { createFixedClock } from '../support/clock.js'
import { forge, forgedFor, holder, judge, only, plainJwk } from '../support/forged-presentation.js'
import {
  API,
  answerWith,
  ca,
  createWorld,
  fetchRequest,
  freshKey,
  ISSUER,
  postResponse,
  QUERY,
  STATUS_URI,
  signers,
  VCT,
} from '../support/presentation-world.js'

const key = freshKey()
const jwks = { keys: [{ ...plainJwk(key), kid: key.kid }] }
const byKey = { issuer: key, header: { kid: key.kid } }

async function ask(metadata: object, iss = ISSUER) {
  const trusted = { vct: VCT, issuer: iss, discovery: 'jwt-vc-issuer' as const }
  const world = createWorld({ keyBinding: 'not-required', trustedIssuers: [trusted] })
  world.network.serve(new URL(iss).origin, async () => json(200, JSON.parse(JSON.stringify(metadata))))
  const verdict = await judge(
    async (request) => only(await forgedFor(request, { ...byKey, payload: { iss } })),
    { world },
  )
  return [verdict.reason, world.network.calls[0]?.url]
}

describe('an issuer found by its metadata', () => {
  test('publishes its keys at the well-known place, under its own name [VP-V-SDJ-07]', async () => {
    const tenant = `${ISSUER}/tenant`
    expect(await ask({ issuer: ISSUER, jwks })).toEqual(['accepted', `${ISSUER}/.well-known/jwt-vc-issuer`])
    expect(await ask({ issuer: tenant, jwks }, tenant)).toEqual([
      'accepted',
      `${ISSUER}/.well-known/jwt-vc-issuer/tenant`,
    ])
    for (const bad of [
      { issuer: 'https://other.example', jwks },
      { issuer: ISSUER },
      { issuer: ISSUER, jwks, jwks_uri: `${ISSUER}/jwks` },
      { issuer: ISSUER, jwks: { keys: [] } },
    ]) {
      expect((await ask(bad))[0]).toBe('issuer_untrusted')
    }
  })

  test('is never fetched from an internal address [VP-V-SDJ-08]', async () => {
    const issuer = 'https://127.0.0.1'
    const time = createFixedClock()
    const lines: string[] = []
    const note = (event: string, fields: object = {}) => void lines.push(JSON.stringify({ event, ...fields }))
    const deps = {
      signer: signers.api,
      store: createMemoryStore(time),
      clock: time.clock,
      random: systemRandom,
    }
    const verifier = createVerifier(
      {
        origin: API,
        keyBinding: 'required',
        trustedIssuers: [{ vct: VCT, issuer, discovery: 'jwt-vc-issuer' }],
      },
      { ...deps, fetch: createGuardedFetch({}), log: { ...SILENT_LOG, warn: note } },
    )
    const world = { ...createWorld(), verifier, time, send: answerWith(verifier.routes) }
    const { requestUrl } = await verifier.startTransaction({ query: QUERY, responseMode: 'direct_post' })
    const { request, responseUri } = await fetchRequest(world, requestUrl)
    const vpToken = only(await forgedFor(request, { ...byKey, payload: { iss: issuer } }))
    const form = new URLSearchParams({ vp_token: JSON.stringify(vpToken), state: request.state ?? '' })
    expect((await postResponse(world, responseUri, form.toString())).status).toBe(400)
    expect(lines.join()).toContain('fetch_address_refused')
  })
})

describe('connections', () => {
  test('are never made with verification switched off [VP-V-SEC-01]', () => {
    const rooms = readdirSync('packages').flatMap((room) => {
      const folder = `packages/${room}/src`
      const names = readdirSync('packages', { withFileTypes: true }).some(
        (entry) => entry.name === room && entry.isDirectory(),
      )
        ? readdirSync(folder)
        : []
      return names.map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
    })
    expect(rooms.length).toBeGreaterThan(100)
    expect(
      rooms.filter((text) => /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED/.test(text)),
    ).toEqual([])
  })
})

describe('everything a verifier looks at, once', () => {
  test('good presentations of every shape pass, each single defect is refused [IOP-V-08]', async () => {
    const loose = { vct: VCT, anchors: [ca.pem] }
    const world = () => createWorld({ keyBinding: 'not-required', trustedIssuers: [loose] })
    const status = { status_list: { idx: 7, uri: STATUS_URI } }
    const good: readonly object[] = [
      {},
      { payload: { iss: 'https://matches-nothing.example' } },
      { payload: { cnf: { jwk: { ...plainJwk(holder), kid: 'x', use: 'sig', alg: 'ES256' } } } },
      { payload: { status } },
    ]
    for (const forgery of good) {
      const { reason } = await judge(async (request) => only(await forgedFor(request, forgery)), {
        world: world(),
      })
      expect(reason).toBe('accepted')
    }
    const bindings: readonly (readonly [object, string])[] = [
      [{ header: { typ: 'JWT' } }, 'kb_typ'],
      [{ payload: { aud: 'other' } }, 'kb_aud_mismatch'],
      [{ payload: { nonce: 'other' } }, 'kb_nonce_mismatch'],
      [{ payload: { sd_hash: 'other' } }, 'kb_sd_hash_mismatch'],
      [{ payload: { iat: 1 } }, 'kb_iat_out_of_window'],
      [{ signer: freshKey() }, 'kb_signature_invalid'],
    ]
    for (const [binding, reason] of bindings) {
      const verdict = await judge(async (request) => only(await forgedFor(request, {}, binding)), {
        world: world(),
      })
      expect([verdict.status, verdict.reason]).toEqual([400, reason])
    }
    const bare = await judge(async () => only(await forge()), { world: world() })
    expect([bare.status, bare.reason]).toEqual([400, 'kb_missing'])
  })
})
