/**
 * Our verifier under every Client Identifier Prefix that `@openid4vc/openid4vp` knows and OpenID4VP 1.0 defines.
 *
 * The certificate prefixes and `redirect_uri` are in `verifier-openid4vc-wallet.test.ts`. Not here: `x509_san_uri`
 * and `web-origin`, which 1.0 does not have, and `origin` of the browser's API. The library knows two response
 * modes; `fragment` its request schema refuses.
 */
import { parseRequestUrl } from '@attache/openid4vp'
import { importJWK, SignJWT } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { createPeerKeys } from './openid4vc-callbacks.js'
import { meet, presentRole, receiveOne, resolveRequest } from './openid4vc-wallet.js'
import { roleQuery, type ServeOptions, serveVerifier } from './our-verifier.js'
import { createPeerFetch } from './peer-fetch.js'
import { type Certified, certify, closeAll, closeAtEnd, ecPrivateJwk } from './world.js'

afterAll(closeAll)

const issuance = await meet()
const held = await receiveOne(issuance)
const { ours: issuer } = issuance
const trust = { vct: issuer.vct, issuer: issuer.credentialIssuer, anchors: issuer.signing.anchors }

/** The public half, as others want it. */
function publicHalf({ privateJwk }: Certified) {
  const { kty, crv, x, y } = ecPrivateJwk(privateJwk)
  return { kty, crv, x, y }
}

const didOf = (signing: Certified) =>
  `did:jwk:${Buffer.from(JSON.stringify(publicHalf(signing))).toString('base64url')}`

const attester = await certify('Attester')
const SUBJECT = 'payroll.example'
const ENTITY = 'https://payroll.example'

async function attest(signing: Certified): Promise<string> {
  return new SignJWT({ cnf: { jwk: publicHalf(signing) } })
    .setProtectedHeader({ alg: 'ES256', typ: 'verifier-attestation+jwt' })
    .setIssuer('https://attester.example')
    .setSubject(SUBJECT)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importJWK(ecPrivateJwk(attester.privateJwk), 'ES256'))
}

/** Served last, so that an attestation can name the key of the server before it asks. */
const attestations = new Map<Certified, string>()
const IDENTITIES: Readonly<Record<string, NonNullable<ServeOptions['identity']>>> = {
  'pre-registered': () => ({ clientId: 'payroll-api', bare: true }),
  decentralized_identifier: (signing) => ({ clientId: `decentralized_identifier:${didOf(signing)}` }),
  verifier_attestation: (signing) => ({
    clientId: `verifier_attestation:${SUBJECT}`,
    verifierAttestation: () => attestations.get(signing) ?? '',
  }),
  openid_federation: () => ({ clientId: `openid_federation:${ENTITY}` }),
}

async function serve(prefix: string) {
  const identity = IDENTITIES[prefix]
  const api = closeAtEnd(await serveVerifier(trust, identity === undefined ? {} : { identity }))
  attestations.set(api.signing, await attest(api.signing))
  return api
}

/** The same wallet, told about clients whose keys it cannot learn from the request. */
function walletKnowing(clientId: string, signing: Certified) {
  const known = new Map([[clientId, publicHalf(signing)]])
  const { fetch } = createPeerFetch()
  const { callbacks } = createPeerKeys(fetch, known)
  return {
    keys: { ...issuance.keys, callbacks: { ...issuance.keys.callbacks, verifyJwt: callbacks.verifyJwt } },
  }
}

const CASES = Object.keys(IDENTITIES).flatMap((prefix) =>
  // The metadata of a federation comes from its trust chain, and so would the key to encrypt to.
  (prefix === 'openid_federation' ? ['direct_post'] : ['direct_post', 'direct_post.jwt']).map(
    (mode) => [prefix, mode] as const,
  ),
)

describe('a wallet on @openid4vc/openid4vp', () => {
  test.each(CASES)('knows our verifier as %s and answers by %s', async (prefix, mode) => {
    const api = await serve(prefix)
    const { requestUrl, transactionId } = await api.verifier.startTransaction({
      query: roleQuery(issuer.vct),
      responseMode: mode === 'direct_post' ? 'direct_post' : 'direct_post.jwt',
      crossDevice: true,
    })
    const { clientId } = parseRequestUrl(requestUrl)
    const peer = walletKnowing(clientId, api.signing)

    const { client } = await resolveRequest(peer, requestUrl)
    const response = await presentRole(peer, { ...held, requestUrl })

    expect(client.prefix).toBe(prefix)
    expect(response.status, api.lines.join('\n')).toBe(200)
    expect(await api.verifier.redeemResult({ transactionId })).toMatchObject({
      status: 'answered',
      presentation: { credentials: [{ claims: { role: 'Manager', region: 'EU' } }] },
    })
  })
})
