import { type JsonObject, selectByPath } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  signJws,
} from '@attache/keys'
import { createClientAttestation, createClientAttestationPop, createDpopProof } from '@attache/oauth'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createSeededRandom } from '../support/random.js'
import {
  bodyOf,
  CLIENT_ID,
  certify,
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  JSON_BODY,
  keyProof,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  postForm,
  postWithToken,
  requestCredential,
  requestToken,
  TEMPLATE,
  tokenHeaders,
} from './issuer-bench.js'
import { outcome } from './issuer-browser.js'

const TOKEN_URL = `${ISSUER}/token`

describe('strict peers: authentication and proofs', () => {
  test('a good pair without client_id passes, each check broken alone does not [IOP-I-06]', async () => {
    const bench = await createIssuerBench()
    const instance = newSigner()
    const random = createSeededRandom('IOP-I-06')
    const facts = { now: NOW, random }
    const statement = { clientId: CLIENT_ID, instanceKey: instance.publicJwk, expiresAt: NOW + 600 }
    const stranger = await certify('Another provider')
    const ask = async (
      parts: { attestation?: string; pop?: string; clientId?: string } = {},
    ): Promise<readonly [number, unknown]> => {
      const { code, txCode } = await offerCode(bench)
      const attestation = await createClientAttestation(statement, bench.provider.signer, NOW)
      const pop = await createClientAttestationPop({ audience: ISSUER, clientId: CLIENT_ID }, instance, facts)
      const headers = {
        'OAuth-Client-Attestation': parts.attestation ?? attestation,
        'OAuth-Client-Attestation-PoP': parts.pop ?? pop,
        DPoP: await createDpopProof({ method: 'POST', url: TOKEN_URL }, instance, facts),
      }
      const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
      const client: Record<string, string> = parts.clientId === undefined ? {} : { client_id: parts.clientId }
      return outcome(await postForm(bench, '/token', { ...form, ...client }, headers))
    }
    expect(await ask()).toEqual([200, undefined])
    const invalid = [401, 'invalid_client']
    expect(await ask({ clientId: 'https://other.example' })).toEqual(invalid)
    const byStranger = await createClientAttestation(statement, stranger.signer, NOW)
    expect(await ask({ attestation: byStranger })).toEqual(invalid)
    const expired = await createClientAttestation(
      { ...statement, expiresAt: NOW - 61 },
      bench.provider.signer,
      NOW - 600,
    )
    expect(await ask({ attestation: expired })).toEqual(invalid)
    const pops = [
      await createClientAttestationPop({ audience: TOKEN_URL, clientId: CLIENT_ID }, instance, facts),
      await createClientAttestationPop(
        { audience: ISSUER, clientId: 'https://other.example' },
        instance,
        facts,
      ),
      await createClientAttestationPop({ audience: ISSUER, clientId: CLIENT_ID }, newSigner(), facts),
      await createClientAttestationPop({ audience: ISSUER }, instance, { now: NOW - 600, random }),
    ]
    for (const pop of pops) expect(await ask({ pop })).toEqual(invalid)
    const once = await createClientAttestationPop({ audience: ISSUER }, instance, facts)
    expect([(await ask({ pop: once }))[0], await ask({ pop: once })]).toEqual([200, invalid])
  })

  test('DPoP: each check alone at both servers, in any letter case of the scheme [IOP-I-16]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    const target = (url: string) => ({
      jti: `j${Math.trunc(NOW)}${url.length}`,
      htm: 'POST',
      htu: url,
      iat: NOW,
    })
    const jwk = { ...wallet.dpop.publicJwk }
    const ath = parseJws((await tokenHeaders(bench, wallet, { token, path: '/credential' }))['DPoP'] ?? '')
      .payload['ath']
    const broken: readonly [JsonObject, JsonObject][] = [
      [{ typ: 'jwt' }, {}],
      [{ jwk: { ...newSigner().publicJwk } }, {}],
      [{}, { jti: '' }],
      [{}, { htm: 'GET' }],
      [{}, { htu: 'https://other.example/token' }],
      [{}, { iat: NOW - 3600 }],
      [{}, { iat: NOW + 3600 }],
    ]
    for (const [header, payload] of broken) {
      const made = async (url: string) =>
        signJws(
          {
            header: { typ: 'dpop+jwt', jwk, ...header },
            payload: { ...target(url), ath: ath ?? '', ...payload },
          },
          wallet.dpop,
        )
      const { code, txCode } = await offerCode(bench)
      const headers = await clientHeaders(bench, wallet, TOKEN_URL)
      const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
      const atServer = await postForm(bench, '/token', form, { ...headers, DPoP: await made(TOKEN_URL) })
      expect(await outcome(atServer)).toEqual([400, 'invalid_dpop_proof'])
      const atIssuer = await bench.send(`${ISSUER}/credential`, {
        method: 'POST',
        headers: { ...JSON_BODY, Authorization: `DPoP ${token}`, DPoP: await made(`${ISSUER}/credential`) },
        body: '{}',
      })
      expect(await outcome(atIssuer)).toEqual([401, 'invalid_dpop_proof'])
    }
    const lower = await tokenHeaders(bench, wallet, { token, path: '/credential' })
    const body = {
      credential_configuration_id: 'agent-role',
      proofs: { jwt: [await keyProof(bench, newSigner())] },
    }
    const accepted = await bench.send(`${ISSUER}/credential`, {
      method: 'POST',
      headers: { ...lower, Authorization: `dpop ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(accepted.status).toBe(200)
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`]) {
      const refused = await bench.send(`${ISSUER}/credential`, {
        method: 'POST',
        headers: { ...JSON_BODY, ...lower, Authorization: authorization },
        body: '{}',
      })
      expect(refused.status).toBe(401)
    }
    const query = await bench.send(`${ISSUER}/credential?access_token=${token}`, {
      method: 'POST',
      headers: JSON_BODY,
      body: '{}',
    })
    expect(query.status).toBe(400)

    const nonced = await createIssuerBench({ dpopNonces: true })
    const second = await createWallet(nonced)
    const { code, txCode } = await offerCode(nonced)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const asked = await requestToken(nonced, second, parameters)
    expect(asked.status).toBe(400)
    const nonce = asked.headers.get('DPoP-Nonce') ?? ''
    expect((await requestToken(nonced, second, parameters, { nonce })).status).toBe(200)
  })

  test('proofs by jwk, x5c and kid; one nonce, used once, not burnt by a DPoP nonce [IOP-I-21]', async () => {
    const device = await certify('Device')
    const attester = await certify('Attester')
    const options = { proofCertificates: device.anchors, keyAttesters: attester.anchors, batchSize: 2 }
    const bench = await createIssuerBench(options)
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    const ask = async (...jwt: string[]) =>
      outcome(await requestCredential(bench, wallet, token, { proofs: { jwt } }))
    const key = newSigner()
    const typ = 'openid4vci-proof+jwt'
    const proof = async (header: JsonObject, payload: JsonObject = {}, signer = key) =>
      signJws(
        {
          header: { typ, ...header },
          payload: { aud: ISSUER, iat: NOW, nonce: await obtainNonce(bench), ...payload },
        },
        signer,
      )
    const nonce = await obtainNonce(bench)
    const stated = { iat: NOW, exp: NOW + 60, nonce, attested_keys: [{ ...key.publicJwk, kid: 'k' }] }
    const attestation = await signJws(
      { header: { typ: 'key-attestation+jwt', x5c: [...(attester.signer.x5c ?? [])] }, payload: stated },
      attester.signer,
    )
    const jwk = { jwk: { ...key.publicJwk } }
    const x5c = { x5c: [...(device.signer.x5c ?? [])] }
    expect(await ask(await proof(jwk))).toEqual([200, undefined])
    expect(await ask(await proof(x5c, {}, device.signer))).toEqual([200, undefined])
    expect(await ask(await proof({ kid: 'k', key_attestation: attestation }, { nonce }))).toEqual([
      200,
      undefined,
    ])
    expect(await ask(await proof({ ...jwk, kid: 'k' }))).toEqual([400, 'invalid_proof'])
    expect(
      await ask(await proof(jwk), await proof({ jwk: { ...device.signer.publicJwk } }, {}, device.signer)),
    ).toEqual([400, 'invalid_nonce'])
    expect(await ask(await proof(jwk, { aud: 'https://other.example' }))).toEqual([400, 'invalid_proof'])
    expect(await ask(await proof(jwk, { nonce }))).toEqual([400, 'invalid_nonce'])

    const nonced = await createIssuerBench({ dpopNonces: true })
    const peer = await createWallet(nonced)
    const { code, txCode } = await offerCode(nonced)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const first = await requestToken(nonced, peer, parameters)
    const granted = await requestToken(nonced, peer, parameters, {
      nonce: first.headers.get('DPoP-Nonce') ?? '',
    })
    const held = String((await bodyOf(granted))['access_token'])
    const body = { credential_configuration_id: 'agent-role', proofs: { jwt: [await keyProof(nonced, key)] } }
    const refused = await postWithToken(nonced, peer, { token: held, path: '/credential', body })
    expect(refused.headers.get('WWW-Authenticate')).toContain('use_dpop_nonce')
    const retry = { token: held, path: '/credential', body, nonce: refused.headers.get('DPoP-Nonce') ?? '' }
    expect((await postWithToken(nonced, peer, retry)).status).toBe(200)

    const demanding = await createIssuerBench({
      keyAttesters: attester.anchors,
      template: `${TEMPLATE}\nkey_attestations: {}\n`,
    })
    const strict = await createWallet(demanding)
    const bare = await requestCredential(demanding, strict, (await obtainToken(demanding, strict)).token)
    expect(await outcome(bare)).toEqual([400, 'invalid_proof'])
  })

  test('the credential and its status list, decoded; status can be off [IOP-I-26]', async () => {
    for (const status of [true, false]) {
      const bench = await createIssuerBench({ template: `${TEMPLATE}\nstatus: ${status}\n` })
      const wallet = await createWallet(bench)
      const { token } = await obtainToken(bench, wallet)
      const answer = await bodyOf(await requestCredential(bench, wallet, token))
      const credential = String(selectByPath(answer, ['credentials', 0, 'credential'])?.[0])
      const { header, payload } = parseJws(credential.split('~')[0] ?? '', { maxDepth: 32 })
      expect(header).toEqual({
        typ: 'dc+sd-jwt',
        alg: 'ES256',
        kid: bench.signing.signer.kid,
        x5c: bench.signing.signer.x5c,
      })
      const members = ['_sd', '_sd_alg', 'cnf', 'exp', 'iat', 'iss', ...(status ? ['status'] : []), 'vct']
      expect(Object.keys(payload).toSorted()).toEqual(members)
      expect(Object.keys(Object(selectByPath(payload, ['cnf', 'jwk'])?.[0])).toSorted()).toEqual([
        'crv',
        'kty',
        'x',
        'y',
      ])
      expect((await bodyOf(await bench.send(String(payload['vct']))))['vct']).toBe(payload['vct'])
      if (!status) continue
      const list = await bench.send(String(selectByPath(payload, ['status', 'status_list', 'uri'])?.[0]))
      expect(list.headers.get('Content-Type')).toBe('application/statuslist+jwt')
      const jws = parseJws(await list.text(), { maxBytes: 1_000_000 })
      expect(jws.header).toMatchObject({ typ: 'statuslist+jwt', x5c: bench.signing.signer.x5c })
      for (const name of ['sub', 'iat', 'exp', 'ttl']) expect(jws.payload).toHaveProperty(name)
    }
    const hidden = TEMPLATE.replace('name: purpose', 'name: exp')
    await expect(createIssuerBench({ template: hidden })).rejects.toMatchObject({
      code: 'template_reserved_claim',
    })
  })

  test('our chain has leaf and intermediates and never the root; ES256 unless configured [IOP-C-05]', async () => {
    const random = createSeededRandom('chain')
    const validity = { notBefore: NOW - 60, notAfter: NOW + 86_400 }
    const root = await createCertificateAuthority(
      { commonName: 'Root', privateJwk: generatePrivateJwk('ES256'), ...validity },
      { random },
    )
    const middle = await createCertificateAuthority(
      { commonName: 'Middle', privateJwk: generatePrivateJwk('ES256'), issuer: root, ...validity },
      { random },
    )
    expect(createAnchors('root', [root.pem])).toBeDefined()
    for (const alg of ['ES256', 'ES384'] as const) {
      const privateJwk = generatePrivateJwk(alg)
      const { publicJwk } = createSoftwareSigner(privateJwk)
      const leaf = await issueCertificate(
        { commonName: 'Leaf', publicJwk, issuer: middle, ...validity },
        { random },
      )
      expect(leaf.x5c).toHaveLength(2)
      const signer = createSoftwareSigner(privateJwk, { x5c: leaf.x5c })
      const { header } = parseJws(
        await signJws({ header: { typ: 'x', x5c: [...leaf.x5c] }, payload: {} }, signer),
      )
      expect(header).toMatchObject({ alg, x5c: leaf.x5c })
      const rootDer = root.pem.replace(/-----[^-]+-----|\s/g, '')
      expect(() => createSoftwareSigner(privateJwk, { x5c: [...leaf.x5c, rootDer] })).toThrow(
        expect.objectContaining({ code: 'x5c_anchor' }),
      )
    }
    const bench = await createIssuerBench()
    expect(bench.signing.signer.alg).toBe('ES256')
  })
})
