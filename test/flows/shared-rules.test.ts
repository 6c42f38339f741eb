import { createServer, request as sendRequest } from 'node:http'
import { createGuardedFetch, encodeBase64url, endpoint, SILENT_LOG, systemRandom, utf8 } from '@attache/core'
import { createNodeListener } from '@attache/express'
import {
  checkTimes,
  chooseEncryptionKey,
  createAnchors,
  createCertificateAuthority,
  decryptJwe,
  encryptJwe,
  generateDecryptionKey,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  parsePublicJwk,
  signJws,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import { createContentDigest, PROTECTED_RESOURCE_ERRORS, readDigestedBody } from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createPresentationWorld } from '../support/scripted-verifier.js'
import {
  bodyOf,
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  newSigner,
  offerCode,
  postForm,
} from './issuer-bench.js'
import { consent, outcome, push, ready, redeem, submit } from './issuer-browser.js'

const DAY = 86_400
const refusal = (code: string) => expect.objectContaining({ code })

describe('trust in certificates', () => {
  const times = { notBefore: NOW - DAY, notAfter: NOW + DAY }
  const authority = (commonName: string, issuer?: Awaited<ReturnType<typeof createCertificateAuthority>>) =>
    createCertificateAuthority(
      { commonName, privateJwk: generatePrivateJwk('ES256'), ...times, ...(issuer && { issuer }) },
      { random: systemRandom },
    )

  test('each purpose has its list, and a path has to hold whole [IOP-C-04]', async () => {
    const root = await authority('Issuers')
    const middle = await authority('Middle', root)
    const { publicJwk } = newSigner()
    const leafOf = (more: Partial<Parameters<typeof issueCertificate>[0]> = {}) =>
      issueCertificate(
        { commonName: 'Acme', publicJwk, issuer: middle, ...times, ...more },
        { random: systemRandom },
      )
    const issuers = createAnchors('credential issuers', [root.pem])
    const statusSigners = createAnchors('status list signers', [(await authority('Status')).pem])
    const { x5c } = await leafOf()

    expect(verifyCertificateChain(x5c, { anchors: issuers, now: NOW }).anchors).toBe('credential issuers')
    expect(() => verifyCertificateChain(x5c, { anchors: statusSigners, now: NOW })).toThrow(
      expect.objectContaining({
        code: 'anchor_not_found',
        message: expect.stringContaining('status list signers'),
      }),
    )
    const expired = await leafOf({ notAfter: NOW - 60 })
    expect(() => verifyCertificateChain(expired.x5c, { anchors: issuers, now: NOW })).toThrow(
      refusal('certificate_expired'),
    )
    const forged = [x5c[0] ?? '', ...(await leafOf({ issuer: await authority('Middle', root) })).x5c.slice(1)]
    expect(() => verifyCertificateChain(forged, { anchors: issuers, now: NOW })).toThrow(
      refusal('certificate_chain_broken'),
    )
    const selfSigned = await authority('Self')
    expect(() => verifyCertificateChain([pemBody(selfSigned.pem)], { anchors: issuers, now: NOW })).toThrow(
      refusal('certificate_self_signed'),
    )
    expect(() => verifyCertificateChain([...x5c, pemBody(root.pem)], { anchors: issuers, now: NOW })).toThrow(
      refusal('certificate_anchor_in_chain'),
    )
  })
})

const pemBody = (pem: string) => pem.replace(/-----[A-Z ]+-----|\s/g, '')

describe('every JWT of a peer', () => {
  const signer = newSigner()
  const expected = { typ: 'kb+jwt', algorithms: ['ES256'] as const, key: signer.publicJwk }
  const sign = (typ: string) => signJws({ header: { typ }, payload: {} }, signer)
  const unsigned = (alg: string) =>
    [{ typ: 'kb+jwt', alg }, {}].map((part) => encodeBase64url(utf8(JSON.stringify(part)))).join('.')

  test('has a listed algorithm, the exact type, and no private key [IOP-C-07]', async () => {
    expect(() => verifyJws(parseJws(`${unsigned('ES256')}.AAAA`), expected)).toThrow(refusal('jws_signature'))
    for (const alg of ['none', 'None', 'HS256', 'RS1']) {
      expect(() => verifyJws(parseJws(`${unsigned(alg)}.AAAA`), expected)).toThrow(refusal('jws_algorithm'))
    }
    for (const typ of ['KB+JWT', 'application/kb+jwt', 'JWT']) {
      const jws = parseJws(await sign(typ))
      expect(() => verifyJws(jws, expected)).toThrow(refusal('jws_typ'))
    }
    expect(() => verifyJws(parseJws('e30.e30.AAAA'), expected)).toThrow(refusal('jws_typ'))
    expect(() => parsePublicJwk(generatePrivateJwk('ES256'))).toThrow(refusal('jwk_private_member'))
    expect(verifyJws(parseJws(await sign('kb+jwt')), expected)).toBeUndefined()
  })

  test('is given 60 seconds of clock, or as many as configured [IOP-C-07]', () => {
    expect(checkTimes({ exp: NOW - 59 }, NOW)).toBeUndefined()
    expect(() => checkTimes({ exp: NOW - 61 }, NOW)).toThrow(refusal('jwt_expired'))
    expect(() => checkTimes({ exp: NOW - 1 }, NOW, 0)).toThrow(refusal('jwt_expired'))
    expect(checkTimes({ iat: NOW + 59, nbf: NOW + 59 }, NOW)).toBeUndefined()
    expect(() => checkTimes({ nbf: NOW + 61 }, NOW)).toThrow(refusal('jwt_not_yet_valid'))
  })
})

describe('encrypted messages', () => {
  const key = generateDecryptionKey({ kid: 'enc-1' })
  const message = utf8('{"vp_token":{}}')

  test.each(['A128GCM', 'A256GCM'] as const)(
    'travel with %s, with and without party info [IOP-C-10]',
    async (enc) => {
      const party = { apu: encodeBase64url(utf8('wallet')), apv: encodeBase64url(utf8('verifier')) }
      for (const more of [{}, party]) {
        const jwe = await encryptJwe(message, { jwk: key.publicJwk, enc, ...more })
        const { plaintext, header } = await decryptJwe(jwe, { keys: [key], encs: [enc] })
        expect(Buffer.from(plaintext).equals(message)).toBe(true)
        expect(header).toMatchObject({ kid: 'enc-1', alg: 'ECDH-ES', enc, ...more })
      }
    },
  )

  test('go to the first usable key of a set, without compression nobody offered [IOP-C-10]', async () => {
    const { use: _unmarked, ...good } = key.publicJwk
    const jwks = {
      keys: [{ kty: 'AKP', kid: 'x' }, { ...good, kid: 'y', alg: 'ECDH-ES+A256KW' }, { ...good }],
    }
    const chosen = chooseEncryptionKey(jwks, ['A256GCM'])
    expect(chosen).toMatchObject({ jwk: { kid: 'enc-1' }, enc: 'A256GCM' })

    const zipped = await encryptJwe(message, { jwk: key.publicJwk, enc: 'A256GCM', zip: 'DEF' })
    await expect(decryptJwe(zipped, { keys: [key], encs: ['A256GCM'] })).rejects.toMatchObject({
      code: 'jwe_header_rejected',
    })
  })
})

describe('an authorization server whose clients prove a key', () => {
  test('gives no token without a proof, though the rest is right [DPOP-A-04]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
      'pre-authorized_code': code,
      tx_code: txCode,
    }
    const { DPoP: proof, ...without } = await clientHeaders(bench, wallet, `${ISSUER}/token`)

    expect((await outcome(await postForm(bench, '/token', form, without)))[0]).toBe(400)
    const complete = await clientHeaders(bench, wallet, `${ISSUER}/token`)
    expect(proof).toBeDefined()
    expect((await postForm(bench, '/token', form, complete)).status).toBe(200)
  })

  test('remembers the key of the pushed request to the token [DPOP-A-07]', async () => {
    const held = await ready()
    const stranger = { bench: held.bench, wallet: { ...held.wallet, dpop: newSigner() } }
    const requestUri = String((await bodyOf(await push(held, {}, true)))['request_uri'])
    const decided = await submit(held, await consent(held, requestUri), 'decision', {
      agent: 'payroll-export',
      decision: 'approve',
    })
    const code = new URL(decided.location ?? '').searchParams.get('code') ?? ''

    expect(await outcome(await redeem(stranger, code))).toEqual([400, 'invalid_grant'])
    expect((await redeem(held, code)).status).toBe(200)
  })

  test('hands out attestation challenges where its metadata says so [ABCA-C-01]', async () => {
    const provider = (await createIssuerBench()).provider
    const bench = await createIssuerBench({
      clientAuthentication: {
        method: 'attestation',
        attesters: [{ name: 'provider', anchors: provider.anchors, clients: 'any' }],
        challenges: true,
      },
    })
    const metadata = await bodyOf(
      await bench.send('https://issuer.example/.well-known/oauth-authorization-server/acme'),
    )
    const endpoint = String(metadata['challenge_endpoint'])
    const given = await bench.send(endpoint, { method: 'POST' })

    expect((await bench.send(endpoint)).status).toBe(405)
    expect([given.status, given.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    expect(Object.keys(await bodyOf(given))).toEqual(['attestation_challenge'])
  })
})

describe('a server of ours', () => {
  test('answers 431 to 17 KiB of header fields, and takes 15 [ABCA-M-05]', async () => {
    const server = createServer(createNodeListener(async () => new Response('here')))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const ask = (kilobytes: number) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { 'OAuth-Client-Attestation': 'x'.repeat(kilobytes * 1024) }
        const call = sendRequest({ host: '127.0.0.1', port, headers }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
        call.once('error', reject)
        call.end()
      })

    expect(await ask(15)).toBe(200)
    expect(await ask(17)).toBe(431)
    server.closeAllConnections()
    server.close()
  })
})

describe('a server that holds a body back until its digest fits', () => {
  const handle = endpoint(
    async (request) => Response.json({ bytes: (await readDigestedBody(request)).length }),
    {
      statuses: PROTECTED_RESOURCE_ERRORS,
      log: SILENT_LOG,
      random: systemRandom,
      event: 'test.digest',
    },
  )

  /** A chunked request over a socket, with a header field or a trailer. */
  async function send(content: Uint8Array, fields: { header?: string; trailer?: string }) {
    const server = createServer(createNodeListener((request) => handle(request, {})))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        'Transfer-Encoding': 'chunked',
        ...(fields.header === undefined ? {} : { 'Content-Digest': fields.header }),
        ...(fields.trailer === undefined ? {} : { Trailer: 'Content-Digest' }),
      }
      const call = sendRequest({ host: '127.0.0.1', port, method: 'POST', headers }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      call.once('error', reject)
      if (fields.trailer !== undefined) call.addTrailers({ 'Content-Digest': fields.trailer })
      for (let at = 0; at < content.length; at += 65_536) call.write(content.subarray(at, at + 65_536))
      call.end()
    })
    server.closeAllConnections()
    server.close()
    return status
  }

  test('bounds it at 1 MiB, chunked or not, and believes no trailer [CD-07]', async () => {
    const largest = new Uint8Array(1_048_576)
    const digest = createContentDigest(largest)

    expect(await send(largest, { header: digest })).toBe(200)
    expect(await send(new Uint8Array(1_048_577), { header: digest })).toBe(413)
    expect(await send(largest, { header: createContentDigest(new Uint8Array(1)) })).toBe(401)
    expect(await send(largest, { trailer: digest })).toBe(401)
  })
})

describe('a wallet that follows a 401 to metadata', () => {
  test('calls no private address for it [PRM-09]', async () => {
    const guarded = createGuardedFetch({ resolveHost: async () => [{ address: '10.0.0.7', family: 4 }] })
    const world = await createPresentationWorld({
      tamper: (fetch) => (url, init) =>
        url.includes('/.well-known/oauth-protected-resource') ? guarded(url, init) : fetch(url, init),
    })

    expect((await world.callApi()).status).toBe(401)
    expect(await world.reason()).toBe('fetch_address_refused')
    expect(world.to('/challenge')).toHaveLength(0)
  })
})
