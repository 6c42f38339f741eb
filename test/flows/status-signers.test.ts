import { json } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  createStatusList,
  createStatusListToken,
  STATUS_LIST_MEDIA_TYPE,
  writeStatus,
} from '@attache/status-list'
import type { TrustedIssuer } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { forgedFor, judge, only } from '../support/forged-presentation.js'
import { createWorld, freshKey, ISSUER, STATUS_URI, signers, VCT } from '../support/presentation-world.js'

const [old, next, stranger] = [freshKey(), freshKey(), freshKey()]
const published = (...keys: readonly Signer[]) => keys.map(({ publicJwk, kid }) => ({ ...publicJwk, kid }))
const payload = { iss: ISSUER, status: { status_list: { idx: 7, uri: STATUS_URI } } }

/** What becomes of a credential of one key whose list another one signs. */
async function verdict(
  trusted: Omit<TrustedIssuer, 'vct' | 'issuer'>,
  by: { credential: Signer; list: Signer; metadata?: readonly Signer[]; revoked?: boolean },
) {
  const world = createWorld({
    keyBinding: 'not-required',
    trustedIssuers: [{ vct: VCT, issuer: ISSUER, ...trusted }],
  })
  const list = createStatusList(1024, 2)
  if (by.revoked === true) writeStatus(list, 7, 1)
  world.network.serve(ISSUER, async ({ url }) => {
    if (url !== STATUS_URI)
      return json(
        200,
        JSON.parse(JSON.stringify({ issuer: ISSUER, jwks: { keys: published(...(by.metadata ?? [])) } })),
      )
    const now = world.time.clock()
    const token = { uri: STATUS_URI, iat: now, exp: now + 3600, ttl: 60, list }
    return new Response(await createStatusListToken(token, by.list), {
      headers: { 'Content-Type': STATUS_LIST_MEDIA_TYPE },
    })
  })
  const issued = { issuer: by.credential, header: { kid: by.credential.kid }, payload }
  const judged = await judge(async (request) => only(await forgedFor(request, issued)), { world })
  return judged.reason
}

describe('who signs the status list of a credential', () => {
  test('any key of an issuer whose keys are written down, while it changes them', async () => {
    const trusted = { keys: published(old, next) }
    for (const credential of [old, next]) {
      for (const list of [old, next]) {
        expect(await verdict(trusted, { credential, list })).toBe('accepted')
        expect(await verdict(trusted, { credential, list, revoked: true })).toBe('status_invalid')
      }
    }
    expect(await verdict(trusted, { credential: old, list: stranger })).toBe('status_unavailable')
    const one = { keys: published(old) }
    expect(await verdict(one, { credential: old, list: old })).toBe('accepted')
    expect(await verdict(one, { credential: old, list: next })).toBe('status_unavailable')
  })

  test('an issuer whose keys are fetched signs its lists with them, unless anchors are named', async () => {
    const trusted = { discovery: 'jwt-vc-issuer' as const }
    const metadata = [old, next]
    expect(await verdict(trusted, { credential: old, list: next, metadata })).toBe('accepted')
    expect(await verdict(trusted, { credential: old, list: next, metadata, revoked: true })).toBe(
      'status_invalid',
    )
    expect(await verdict(trusted, { credential: old, list: stranger, metadata })).toBe('status_unavailable')
    // A certificate beside the key's name changes nothing: these lists are trusted by key.
    expect(await verdict(trusted, { credential: old, list: signers.issuer, metadata })).toBe(
      'status_unavailable',
    )
    const anchored = { ...trusted, statusAnchors: [] }
    expect(await verdict(anchored, { credential: old, list: next, metadata })).toBe('status_unavailable')
  })
})
