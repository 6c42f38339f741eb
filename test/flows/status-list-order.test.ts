import type { JsonObject } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { forgedFor, judge, only } from '../support/forged-presentation.js'
import { createWorld, STATUS_URI } from '../support/presentation-world.js'

const status = { status_list: { idx: 7, uri: STATUS_URI } }

/** Presents a credential with these claims and counts the requests for its Status List. */
async function presented(payload: JsonObject) {
  const world = createWorld({ keyBinding: 'not-required' })
  const verdict = await judge(async (request) => only(await forgedFor(request, { payload })), { world })
  const requests = world.network.calls.filter(({ url }) => url === STATUS_URI).length
  return { status: verdict.status, requests }
}

describe('the order of checks', () => {
  test('an expired credential is refused and its Status List not asked for [TSL-V-01]', async () => {
    expect(await presented({ status, exp: NOW + 3_600 })).toEqual({ status: 200, requests: 1 })
    expect(await presented({ status, exp: NOW - 3_600 })).toEqual({ status: 400, requests: 0 })
    expect(await presented({ status, exp: NOW + 3_600, nbf: NOW + 3_000 })).toEqual({
      status: 400,
      requests: 0,
    })
  })
})
