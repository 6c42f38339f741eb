import { readFileSync } from 'node:fs'
import { createAnchors, parseX5c, verifyCertificateChain } from '@attache/keys'
import {
  boundResponseUri,
  matchCredential,
  parseRequestUrl,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import { verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'

// The worked example of the verifier table: made by another implementation, with real signatures.
const table = readFileSync('test/requirements/tables/verifier.md', 'utf8')
const find = (pattern: RegExp): string => pattern.exec(table)?.[1] ?? ''
const anchor = find(/trust anchor `([A-Za-z0-9+/=]+)`/)
const handover = find(/Hand-over: `([^`]+)`/)
const requestObject =
  find(/as compact JWS[^`]*`alg`[^`]*`[^`]*`[^`]*`(eyJ[^`]+)`/) || find(/`(eyJ[\w.-]+)`\n\(3\)/)
const presentation = find(/KB-JWT\) is:\n`(eyJ[^`]+)`/)
const NOW = 1_790_000_010
const pem = `-----BEGIN CERTIFICATE-----\n${anchor}\n-----END CERTIFICATE-----`
const anchors = createAnchors('example', [pem])

async function readRequest() {
  const url = parseRequestUrl(handover)
  const expected = {
    audiences: [STATIC_AUDIENCE],
    algorithms: ['ES256' as const],
    trust: { anchors },
    now: NOW,
  }
  return verifyRequestObject(requestObject, { ...expected, clientId: url.clientId })
}

describe('the worked example of a presentation', () => {
  test('its request is authentic and its answer may go where it says', async () => {
    const { request, client } = await readRequest()
    expect(client.clientId.full).toBe('x509_hash:OHKfkATjIEiT41NtcnDpgThNO8yPLeLrl_fkOBG-qFg')
    expect(request.nonce).toBe('uL1scwPNFi23QeahPgKFI0-rH1d9QUqMutLrzrWbpx0')
    expect(boundResponseUri(request, client)).toBe(
      'https://api.example/oid4vp/response/h4XdO-MiMf495wwPb10a5w',
    )
    expect(request.clientMetadata?.encryptionKeys[0]?.kid).toBe('W2FdQsQRHjNyPlfZ')
  })

  test('its presentation holds and answers the query', async () => {
    const { request } = await readRequest()
    const verified = await verifySdJwtVc(presentation, {
      acceptedTypes: ['https://credentials.example/role/v1'],
      algorithms: ['ES256'],
      keyBinding: { audience: request.clientId ?? '', nonce: request.nonce, maxAgeSeconds: 300 },
      now: NOW,
      resolveIssuerKey: async ({ header, issuer = '' }) => {
        const chain = verifyCertificateChain(parseX5c(header['x5c']) ?? [], { anchors, now: NOW })
        return { key: chain.leafKey, issuer }
      },
    })
    const [query] = request.dcqlQuery?.credentials ?? []
    if (query === undefined) throw new Error('The request has no query.')
    const chain = verifyCertificateChain(parseX5c(verified.header['x5c']) ?? [], { anchors, now: NOW })
    const credential = {
      id: 'p',
      format: 'dc+sd-jwt',
      vct: verified.vct,
      claims: verified.claims,
      holderBound: true,
    }
    expect(matchCredential(query, { ...credential, authorityKeyIds: chain.authorityKeyIds })).toEqual({
      matches: true,
      paths: [['role'], ['region']],
    })
    expect(matchCredential(query, credential)).toMatchObject({ matches: false, reason: 'authority_mismatch' })
    expect(verified.claims).toMatchObject({ role: 'Manager', region: 'EU' })
  })
})
