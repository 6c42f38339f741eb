import { describe, expect, test } from 'vitest'
import {
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  offerCode,
  postForm,
} from './issuer-bench.js'
import { arrive, consent, GOOD, pushed, ready, submit } from './issuer-browser.js'

describe('what may be used once, used at once', () => {
  test('of 20 parallel requests with one attestation PoP, one wins', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const shared = await clientHeaders(bench, wallet, `${ISSUER}/token`)
    const requests = []
    for (let nth = 0; nth < 20; nth += 1) {
      const { code, txCode } = await offerCode(bench)
      const fresh = await clientHeaders(bench, wallet, `${ISSUER}/token`)
      const form = {
        grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
        'pre-authorized_code': code,
        tx_code: txCode,
      }
      requests.push({ form, headers: { ...shared, DPoP: fresh['DPoP'] ?? '' } })
    }
    const answers = await Promise.all(
      requests.map(({ form, headers }) => postForm(bench, '/token', form, headers)),
    )

    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status >= 500)).toHaveLength(0)
  })

  test('of 20 parallel approvals of one request_uri, one gets a code', async () => {
    const held = await ready()
    const shown = await consent(held, await pushed(held))
    const approve = () => submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' })
    const answers = await Promise.all(Array.from({ length: 20 }, approve))
    const codes = answers.flatMap(({ location }) =>
      location === null ? [] : [new URL(location).searchParams.get('code')].filter((code) => code !== null),
    )

    expect(codes).toHaveLength(1)
    expect(answers.filter(({ status }) => status >= 500)).toHaveLength(0)
  })

  test('of 20 parallel guesses at a password, five are judged at most', async () => {
    const held = await ready()
    const shown = await arrive(held, await pushed(held))
    const guess = (nth: number) => submit(held, shown, 'sign-in', { ...GOOD, password: `guess ${nth}` })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, nth) => guess(nth)))
    const judged = answers.filter(({ status }) => status === 401).length
    expect(judged).toBeGreaterThan(0)
    expect(judged).toBeLessThanOrEqual(5)
    expect(answers.filter(({ status }) => status === 200 || status >= 500)).toEqual([])

    for (let nth = judged; nth < 5; nth += 1) expect((await guess(nth)).status).toBe(401)
    expect((await submit(held, shown, 'sign-in', GOOD)).html).toContain('data-error="access_denied"')
  })
})
