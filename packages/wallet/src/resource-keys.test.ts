import { createHash } from 'node:crypto'
import type { JsonObject, OutboundFetch } from '@attache/core'
import {
  bareJwk,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
} from '@attache/keys'
import { beforeAll, describe, expect, test } from 'vitest'
import type { TrustedVerifier } from './options.js'
import { createResourceKeys } from './resource-keys.js'

const NOW = 1_790_000_000
const TIMES = { notBefore: NOW - 60, notAfter: NOW + 86_400 }
let count = 0
const random = (byteCount: number) => {
  count += 1
  return new Uint8Array(byteCount).fill(count)
}
const JWKS_URI = 'https://api.example/attache/jwks'

async function authority(commonName: string) {
  const privateJwk = generatePrivateJwk('ES256')
  return createCertificateAuthority({ commonName, privateJwk, ...TIMES }, { random })
}
async function certified(
  issuer: Awaited<ReturnType<typeof authority>>,
  host = 'api.example',
): Promise<Signer> {
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const names = { commonName: host, dnsNames: [host] }
  const { x5c } = await issueCertificate({ ...names, publicJwk, issuer, ...TIMES }, { random })
  return createSoftwareSigner(privateJwk, { x5c })
}
const entry = ({ publicJwk, kid, x5c }: Signer, chain = x5c): JsonObject => ({
  ...bareJwk(publicJwk),
  kid,
  ...(chain === undefined ? {} : { x5c: [...chain] }),
})
const hashOf = ({ x5c }: Signer) =>
  `x509_hash:${createHash('sha256')
    .update(Buffer.from(x5c?.[0] ?? '', 'base64'))
    .digest('base64url')}`

let own: Signer
let neighbour: Signer
let stranger: Signer
let verifier: TrustedVerifier
beforeAll(async () => {
  const [ours, others] = [await authority('Ours'), await authority('Others')]
  own = await certified(ours)
  neighbour = await certified(ours, 'neighbour.example')
  stranger = await certified(others)
  const anchors = createAnchors('verifier', [ours.pem])
  verifier = { clientId: hashOf(own), anchors, apis: ['https://api.example'] }
})

/** A key set that can be exchanged, and how often it was fetched. */
function published(...keys: readonly JsonObject[]) {
  const state = { keys, fetched: 0, status: 200 }
  const fetch: OutboundFetch = async () => {
    state.fetched += 1
    return Response.json({ keys: state.keys }, { status: state.status })
  }
  const resourceKeys = createResourceKeys({ fetch })
  const of = async (who: TrustedVerifier, change: { fresher?: boolean } = {}, now = NOW) =>
    (await resourceKeys.of({ jwksUri: JWKS_URI, verifier: who, ...change }, now)).length
  return { state, of }
}

describe('keys that an API publishes for its answers', () => {
  test('count when a certificate makes them the verifier of the configuration', async () => {
    expect(await published(entry(own)).of(verifier)).toBe(1)
    const { publicJwk } = createSoftwareSigner(generatePrivateJwk('ES256'))
    const others = [
      entry(neighbour),
      entry(stranger),
      entry(own, []),
      { ...entry(own), x5c: 'text' },
      { ...entry(own), x5c: [1] },
      // A right chain beside a key of somebody else.
      { ...bareJwk(publicJwk), x5c: [...(own.x5c ?? [])] },
      { ...bareJwk(publicJwk) },
      { kty: 'oct', k: 'AAAA' },
    ]
    for (const other of others) expect(await published(other).of(verifier)).toBe(0)
    expect(await published(...others, entry(own)).of(verifier)).toBe(1)
    expect(await published(entry(own)).of(verifier, {}, NOW + 172_800)).toBe(0)
  })

  test('count by host name for a client that is known by one', async () => {
    const byName = { ...verifier, clientId: 'x509_san_dns:api.example' }
    expect(await published(entry(own), entry(neighbour)).of(byName)).toBe(1)
  })

  test('count when they are registered, and whatever their certificate says', async () => {
    const { anchors: _none, ...rest } = verifier
    const registered = { ...rest, clientId: 'payroll', keys: [stranger.publicJwk] }
    expect(await published(entry(own), entry(stranger, [])).of(registered)).toBe(1)
  })

  test('count as published for a client under a DID, which has neither', async () => {
    const { anchors: _none, ...rest } = verifier
    const did = { ...rest, clientId: 'decentralized_identifier:did:web:api.example' }
    expect(await published(entry(stranger, [])).of(did)).toBe(1)
  })

  test('are kept for five minutes, and asked for again within them once in thirty seconds', async () => {
    const { state, of } = published(entry(own))
    for (const now of [NOW, NOW + 29, NOW + 299]) await of(verifier, {}, now)
    await of(verifier, { fresher: true }, NOW + 29)
    expect(state.fetched).toBe(1)
    await of(verifier, { fresher: true }, NOW + 30)
    await of(verifier, { fresher: true }, NOW + 59)
    expect(state.fetched).toBe(2)
    await of(verifier, {}, NOW + 330)
    expect(state.fetched).toBe(3)
  })

  test('are nothing where they cannot be had', async () => {
    const { state, of } = published(entry(own))
    state.status = 503
    await expect(of(verifier)).rejects.toMatchObject({ code: 'metadata' })
    state.status = 200
    expect(await of(verifier)).toBe(1)
  })
})
