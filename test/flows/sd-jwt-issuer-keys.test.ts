import { encodeBase64url, utf8 } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createIssuerKeys,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
} from '@attache/keys'
import { type IssuerKeyResolver, issueSdJwtVc, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { CONTENT, ISSUER, issuerSigner, NO_BINDING, signRaw, VCT } from '../support/credentials.js'
import { createNetwork } from '../support/network.js'
import { ISSUER_KEY } from '../support/published-keys.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('issuer-keys')
const times = { notBefore: NOW - 3600, notAfter: NOW + 3600 }

/** A verifier's resolver over the keys room, as a role fills the port. */
function createResolver(options: Parameters<typeof createIssuerKeys>[0]) {
  const metadata = { issuer: ISSUER, jwks: { keys: [{ ...issuerSigner.publicJwk, kid: issuerSigner.kid }] } }
  const network = createNetwork({
    [ISSUER]: async () => Response.json(metadata),
  })
  const keys = createIssuerKeys(options, { fetch: network.fetch })
  const resolveIssuerKey: IssuerKeyResolver = async (facts) => {
    const { key, issuer, chain } = await keys.resolve(facts)
    return {
      key,
      issuer: issuer ?? chain?.subject ?? '',
      ...(chain === undefined ? {} : { validUntil: chain.notAfter }),
    }
  }
  return { resolveIssuerKey, calls: network.calls }
}

describe('verifySdJwtVc with the issuer found by its metadata', () => {
  const { resolveIssuerKey, calls } = createResolver({
    issuers: { [ISSUER]: { mechanism: 'jwt-vc-issuer' } },
  })
  const verify = (text: string) => verifySdJwtVc(text, { ...NO_BINDING, resolveIssuerKey })
  const issuedBy = async (iss?: string) =>
    `${await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt', kid: issuerSigner.kid }, { vct: VCT, ...(iss === undefined ? {} : { iss }) })}~`

  test('accepts what the metadata vouches for [VC-F-09] [VC-F-14]', async () => {
    await expect(verify(await issuedBy(ISSUER))).resolves.toMatchObject({
      issuer: ISSUER,
      claimedIssuer: ISSUER,
    })
    expect(calls.map(({ url }) => url)).toEqual([`${ISSUER}/.well-known/jwt-vc-issuer`])
  })

  test('refuses a missing iss, one that is not https, and one nobody named, without a request [VC-F-09] [VC-N-07]', async () => {
    const before = calls.length

    await expect(verify(await issuedBy())).rejects.toMatchObject({ code: 'issuer_malformed' })
    for (const iss of ['http://issuer.example', 'https://evil.example', 'issuer.example']) {
      await expect(verify(await issuedBy(iss))).rejects.toMatchObject({ code: 'issuer_untrusted' })
    }
    expect(calls).toHaveLength(before)
  })
})

describe('verifySdJwtVc with the issuer found by its certificate', async () => {
  const root = await createCertificateAuthority(
    { commonName: 'Root', privateJwk: generatePrivateJwk('ES256'), ...times },
    { random },
  )
  const { x5c } = await issueCertificate(
    { commonName: 'Issuer', publicJwk: issuerSigner.publicJwk, issuer: root, uris: [ISSUER], ...times },
    { random },
  )
  const signer = createSoftwareSigner(ISSUER_KEY, { x5c })
  const { resolveIssuerKey, calls } = createResolver({
    x5c: { anchors: createAnchors('issuers', [root.pem]) },
  })

  test('iss may be missing; the chain says who it is [VC-F-09]', async () => {
    const { iss: _iss, ...claims } = CONTENT.claims
    const text = await issueSdJwtVc({ ...CONTENT, claims }, { signer, random })
    const verified = await verifySdJwtVc(text, { ...NO_BINDING, resolveIssuerKey })

    expect(verified).toMatchObject({ claimedIssuer: undefined, issuerKey: { validUntil: times.notAfter } })
    expect(verified.issuer).toContain('Issuer')
    expect(verified.header['x5c']).toEqual(x5c)
    expect(calls).toEqual([])
  })

  test('a chain to another anchor vouches for nobody [VC-F-09]', async () => {
    const stranger = await createCertificateAuthority(
      { commonName: 'Root', privateJwk: generatePrivateJwk('ES256'), ...times },
      { random },
    )
    const other = createResolver({ x5c: { anchors: createAnchors('others', [stranger.pem]) } })
    const text = await issueSdJwtVc(CONTENT, { signer, random })

    await expect(verifySdJwtVc(text, { ...NO_BINDING, ...other })).rejects.toMatchObject({
      name: 'VerificationError',
    })
    const selfMade = encodeBase64url(utf8('not a certificate'))
    const jwt = await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt', x5c: [selfMade] }, { vct: VCT })
    await expect(verifySdJwtVc(`${jwt}~`, { ...NO_BINDING, resolveIssuerKey })).rejects.toMatchObject({
      name: 'VerificationError',
    })
  })
})
