import { isJsonObject, member } from '@attache/core'
import { afterAll, describe, expect, test } from 'vitest'
import { meet, presentRole, receiveOne, resolveRequest } from './openid4vc-wallet.js'
import { roleQuery, serveVerifier } from './our-verifier.js'
import { closeAll, closeAtEnd } from './world.js'

afterAll(closeAll)

const issuance = await meet()
const { ours: issuer, keys } = issuance
const held = await receiveOne(issuance)
const stranger = await keys.create()
const trust = { vct: issuer.vct, issuer: issuer.credentialIssuer, anchors: issuer.signing.anchors }
const api = closeAtEnd(await serveVerifier(trust))

type Wanted = Omit<Parameters<typeof api.verifier.startTransaction>[0], 'query'>

const start = (wanted: Wanted) => api.verifier.startTransaction({ query: roleQuery(issuer.vct), ...wanted })

/** Where the verifier sends the wallet's person, and with which code. */
async function responseCodeIn(response: Response): Promise<string> {
  const body: unknown = await response.json()
  const redirect = isJsonObject(body) ? member(body, 'redirect_uri') : undefined
  return new URL(typeof redirect === 'string' ? redirect : api.origin).searchParams.get('response_code') ?? ''
}

const PREFIXES = ['x509_hash', 'x509_san_dns'] as const
const MODES = ['direct_post', 'direct_post.jwt'] as const
const METHODS = ['get', 'post'] as const

describe('a wallet on @openid4vc/openid4vp at our verifier', () => {
  test.each(
    PREFIXES.flatMap((prefix) =>
      MODES.flatMap((mode) => METHODS.map((method) => [prefix, mode, method] as const)),
    ),
  )('%s, %s, request_uri_method %s', async (clientIdPrefix, responseMode, method) => {
    const { requestUrl, transactionId } = await start({ clientIdPrefix, responseMode, method })

    const { client, version } = await resolveRequest({ keys }, requestUrl)
    const response = await presentRole({ keys }, { ...held, requestUrl })

    expect({ prefix: client.prefix, version }).toEqual({ prefix: clientIdPrefix, version: 100 })
    expect(response.status).toBe(200)
    const responseCode = await responseCodeIn(response)
    const result = await api.verifier.redeemResult({ transactionId, responseCode })
    expect(result).toMatchObject({
      status: 'answered',
      presentation: { credentials: [{ claims: { role: 'Manager', region: 'EU' } }] },
    })
    expect(JSON.stringify(result)).not.toContain('1984-03-12')
  })

  test.each(MODES)('redirect_uri, all of it in the URL, %s', async (responseMode) => {
    const { requestUrl, transactionId } = await start({
      clientIdPrefix: 'redirect_uri',
      responseMode,
      crossDevice: true,
    })

    const response = await presentRole({ keys }, { ...held, requestUrl })

    expect(response.status).toBe(200)
    expect(await api.verifier.redeemResult({ transactionId })).toMatchObject({ status: 'answered' })
  })

  test.each([
    ['for another verifier', { audience: 'x509_san_dns:other.example' }],
    ['that answers another request', { nonce: 'another' }],
    ['bound by another key', { holder: stranger }],
  ])('refuses a presentation %s', async (_, bend) => {
    const { requestUrl, transactionId } = await start({})

    const response = await presentRole({ keys }, { ...held, requestUrl, bend })

    expect(response.status).toBe(400)
    expect(await api.verifier.redeemResult({ transactionId })).toMatchObject({ status: 'refused' })
  })
})
