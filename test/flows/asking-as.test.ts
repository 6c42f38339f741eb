import { encodeBase64url, type JsonObject, json, utf8 } from '@attache/core'
import { parseJws, type Signer, signJws } from '@attache/keys'
import { createAuthorizationChallengeRequest, createPkce } from '@attache/oauth'
import {
  type ClientTrust,
  checkOutgoingRequest,
  createDidKeys,
  encodeClientMetadata,
  IA_OPENID4VP_PRESENTATION,
  parseIaRequest,
  parseRequestUrl,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import type { VerifierOptions } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  API,
  askResult,
  CHALLENGE,
  clientHeaders,
  createWallet,
  createWorld,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  postForm,
  postResponse,
  QUERY,
  responseCodeOf,
  signers,
  soundBody,
  type World,
} from '../support/presentation-world.js'

const wallet = await createWallet()
const signer = signers.api
const jsonOf = (value: object): JsonObject => JSON.parse(JSON.stringify(value))
const bare = ({ publicJwk: { kty, crv, x, y } }: Signer) => jsonOf({ kty, crv, x, y })

/** Asks, is verified by a wallet that knows nobody but by the given trust, and is answered. */
async function present(world: World, trust: ClientTrust) {
  const started = await world.verifier.startTransaction({ query: QUERY })
  const handover = parseRequestUrl(started.requestUrl)
  if (handover.kind !== 'reference') throw new Error('The request does not travel by reference.')
  const text = await (await world.send(new Request(handover.requestUri))).text()
  const { request } = await verifyRequestObject(text, {
    clientId: handover.clientId,
    audiences: [STATIC_AUDIENCE],
    algorithms: ['ES256'],
    trust,
    now: world.time.clock(),
  })
  const answer = await postResponse(world, request.responseUri ?? '', await soundBody(wallet, request))
  const result = await askResult(world, {
    transaction_id: started.transactionId,
    response_code: await responseCodeOf(answer),
  })
  return { header: parseJws(text).header, payload: parseJws(text).payload, status: result.status }
}

/** The header of the request that the challenge route sends. */
async function challengeHeader(world: World): Promise<JsonObject> {
  world.verifier.requirePresentation(MANAGERS_IN_EU)
  const { codeChallenge } = createPkce(world.random)
  const form = createAuthorizationChallengeRequest({
    kind: 'initial',
    request: { clientId: wallet.clientId, scope: 'payroll:export', codeChallenge },
    interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
  })
  const answer = await postForm(world, CHALLENGE, form, await clientHeaders(world, wallet, CHALLENGE))
  const asked = parseIaRequest((await objectOf(answer))['openid4vp_request'])
  if (asked.kind !== 'signed') throw new Error('The request is not signed.')
  return parseJws(asked.requestObject).header
}

const startCode = (options: Partial<VerifierOptions>) => () => createWorld(options)
const withCode = (code: string) => expect.objectContaining({ code })

describe('a verifier under a DID', () => {
  const didWeb = 'did:web:api.example'

  test('did:jwk asks with the key it is made of, and is answered under its full name [VP-V-CID-08]', async () => {
    const did = `did:jwk:${encodeBase64url(utf8(JSON.stringify(bare(signer))))}`
    const world = createWorld({ clientId: `decentralized_identifier:${did}` })
    const { header, payload, status } = await present(world, { didKey: createDidKeys(world.network) })
    expect(header).toMatchObject({ kid: `${did}#0`, typ: 'oauth-authz-req+jwt' })
    expect(header).not.toHaveProperty('x5c')
    expect(payload['client_id']).toBe(`decentralized_identifier:${did}`)
    expect(payload).toHaveProperty('client_metadata')
    expect(status).toBe(200)
    expect((await challengeHeader(world))['kid']).toBe(`${did}#0`)

    const other = `did:jwk:${encodeBase64url(utf8(JSON.stringify(bare(freshKey()))))}`
    for (const wrong of [other, 'did:jwk:AA', `did:jwk:${encodeBase64url(utf8('7'))}`]) {
      expect(startCode({ clientId: `decentralized_identifier:${wrong}` })).toThrow(withCode('did_key'))
    }
    expect(startCode({ clientId: `decentralized_identifier:${did}`, keyId: `${did}#1` })).toThrow(
      withCode('did_key'),
    )
  })

  test('did:web of its own origin publishes its document itself [VP-V-CID-08]', async () => {
    for (const [did, url] of [
      [didWeb, `${API}/.well-known/did.json`],
      [`${didWeb}:team:payroll`, `${API}/team/payroll/did.json`],
    ] as const) {
      const world = createWorld({ clientId: `decentralized_identifier:${did}` })
      world.network.serve(API, world.send)
      const { header, status } = await present(world, { didKey: createDidKeys(world.network) })
      expect([header['kid'], status]).toEqual([`${did}#${signer.kid}`, 200])
      expect(world.network.calls.map((call) => call.url)).toContain(url)
      const document = await objectOf(await world.send(new Request(url)))
      expect(document).toMatchObject({ id: did, assertionMethod: [`${did}#${signer.kid}`] })
      expect(JSON.stringify(document)).not.toContain('"d"')
    }
  })

  test('did:web of another host is published by others, its key named by them [VP-V-CID-08]', async () => {
    const did = 'did:web:names.example:api'
    const world = createWorld({ clientId: `decentralized_identifier:${did}`, keyId: `${did}#k1` })
    expect(world.verifier.routes.map(({ path }) => path).filter((path) => path.endsWith('did.json'))).toEqual(
      [],
    )
    const method = { id: `${did}#k1`, type: 'JsonWebKey', controller: did, publicKeyJwk: bare(signer) }
    world.network.serve('https://names.example', async () =>
      json(200, { id: did, verificationMethod: [method] }),
    )
    expect((await present(world, { didKey: createDidKeys(world.network) })).status).toBe(200)
    expect(startCode({ clientId: `decentralized_identifier:${did}`, keyId: `${didWeb}#k1` })).toThrow(
      withCode('did_key'),
    )
  })

  test('needs no certificate, and still may ask under it', async () => {
    const { x5c: _x5c, ...withoutChain } = signer
    expect(() => createWorld({}, undefined, { signer: withoutChain })).toThrow(withCode('signer_certificate'))
    const clientId = `decentralized_identifier:${didWeb}`
    const world = createWorld({ clientId }, undefined, { signer: withoutChain })
    world.network.serve(API, world.send)
    expect((await present(world, { didKey: createDidKeys(world.network) })).status).toBe(200)
    const both = createWorld({ clientId })
    const { requestUrl } = await both.verifier.startTransaction({ query: QUERY, clientIdPrefix: 'x509_hash' })
    const text = await (
      await both.send(new Request(new URL(requestUrl).searchParams.get('request_uri') ?? ''))
    ).text()
    expect(parseJws(text).header['x5c']).toEqual(signer.x5c)
    expect(parseJws(text).header).not.toHaveProperty('kid')
  })
})

describe('a verifier that an attester vouches for', () => {
  const ATTESTER = 'https://attester.example'
  const attester = freshKey()
  const clientId = 'verifier_attestation:payroll'
  const trust: ClientTrust = {
    verifierAttesters: (issuer) => (issuer === ATTESTER ? [attester.publicJwk] : undefined),
  }
  const attest = (payload: JsonObject = {}, typ = 'verifier-attestation+jwt') => {
    const sound: JsonObject = {
      iss: ATTESTER,
      sub: 'payroll',
      exp: NOW + 600,
      cnf: { jwk: bare(signer) },
      ...payload,
    }
    const members = Object.entries(sound).filter(([, value]) => value !== null)
    return signJws({ header: { typ }, payload: Object.fromEntries(members) }, attester)
  }

  test('shows its attestation and signs with the key it names [VP-V-CID-09]', async () => {
    const jwt = await attest()
    const world = createWorld({ clientId, verifierAttestation: () => jwt })
    const { header, payload, status } = await present(world, trust)
    expect(header).toMatchObject({ jwt, typ: 'oauth-authz-req+jwt' })
    expect(header).not.toHaveProperty('x5c')
    expect(payload['client_id']).toBe(clientId)
    expect(status).toBe(200)
    expect((await challengeHeader(world))['jwt']).toBe(jwt)
  })

  test('asks for it anew, and sends none that is expired, of another type, client or key [VP-V-CID-09]', async () => {
    const current = { jwt: await attest() }
    const world = createWorld({ clientId, verifierAttestation: () => current.jwt })
    expect((await present(world, trust)).status).toBe(200)
    for (const wrong of [
      await attest({ exp: NOW - 1 }),
      await attest({ exp: null }),
      await attest({ nbf: NOW + 61 }),
      await attest({ iss: null }),
      await attest({ sub: clientId }),
      await attest({ cnf: { jwk: bare(freshKey()) } }),
      await attest({ cnf: null }),
      await attest({ redirect_uris: 7 }),
      await attest({}, 'JWT'),
      'nothing',
    ]) {
      current.jwt = wrong
      await expect(world.verifier.startTransaction({ query: QUERY })).rejects.toMatchObject({
        code: 'attestation',
      })
    }
    current.jwt = await attest({ exp: NOW + 1200 })
    expect((await present(world, trust)).header['jwt']).toBe(current.jwt)
    expect(startCode({ clientId })).toThrow(withCode('attestation'))

    // One that ended between a request's beginning and its signature is a fault that somebody sees.
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY })
    current.jwt = await attest({ exp: NOW - 1 })
    const fetched = await world.send(new Request(requestUri))
    expect([fetched.status, await fetched.json()]).toEqual([500, { error: 'server_error' }])
    expect(world.lines.join()).toContain('"cause":"attestation')
    current.jwt = await attest()
    expect((await world.send(new Request(requestUri))).status).toBe(200)
  })
})

describe('a verifier of a federation', () => {
  const clientId = 'openid_federation:https://api.example'
  const options = { clientId, walletAttesters: [], trustChain: ['entity', 'anchor'] }

  test('brings no metadata: wallets read it from the trust chain, which may come along [VP-V-CID-10]', async () => {
    const world = createWorld(options)
    const { requestUri } = await world.verifier.startTransaction({
      query: QUERY,
      responseMode: 'direct_post',
    })
    const { header, payload } = parseJws(await (await world.send(new Request(requestUri))).text())
    expect(header).toMatchObject({ kid: signer.kid, trust_chain: ['entity', 'anchor'] })
    expect(payload['client_id']).toBe(clientId)
    expect(payload).not.toHaveProperty('client_metadata')
    // One that brings some all the same is told that nobody reads it.
    const metadata = encodeClientMetadata({
      sdJwt: { issuerAlgorithms: ['ES256'], keyBindingAlgorithms: ['ES256'] },
      encryptionKeys: [],
    })
    const check = (parameters: JsonObject, keyId?: string) =>
      checkOutgoingRequest({ parameters, delivery: 'reference', signer: { ...signer, keyId } })
    const { iss: _iss, aud: _aud, iat: _iat, exp: _exp, ...parameters } = payload
    expect(check(parameters, signer.kid)).toEqual([])
    expect(check({ ...parameters, client_metadata: metadata }, signer.kid)).toEqual([
      expect.stringContaining('leave client_metadata out'),
    ])
    expect(() => check(parameters)).toThrow(withCode('entity_identifier'))
    for (const wrong of ['http://api.example', 'https://api.example?x=1', 'api.example']) {
      expect(() => check({ ...parameters, client_id: `openid_federation:${wrong}` }, signer.kid)).toThrow(
        withCode('entity_identifier'),
      )
    }
  })

  test('asks for no encrypted answer, whose key would be the same for everybody [VP-V-CID-10]', async () => {
    const world = createWorld(options)
    await expect(world.verifier.startTransaction({ query: QUERY })).rejects.toMatchObject({
      code: 'federation_encryption',
    })
    expect(() => world.verifier.requirePresentation({ ...MANAGERS_IN_EU, challenge: 'request_uri' })).toThrow(
      withCode('federation_encryption'),
    )
    expect(startCode({ clientId })).toThrow(withCode('federation_encryption'))
  })
})

test('a client identifier that no wallet could believe stops the start', () => {
  for (const clientId of [
    'origin:https://api.example',
    'foo:bar',
    'x509_hash:other',
    'redirect_uri:https://x.example',
  ]) {
    expect(startCode({ clientId })).toThrow(withCode('client_id'))
  }
})
