import { X509Certificate } from 'node:crypto'
import type { Random } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type parsePublicJwk,
} from '@attache/keys'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type AuthorizationServerMetadata,
  createAuthorizationServerMetadata,
  mtlsEndpoint,
  parseAuthorizationServerMetadata,
} from './authorization-server-metadata.js'
import { OAUTH_ERRORS } from './errors.js'
import { certificateThumbprint, clientCertificate, verifyMtlsClient } from './mtls.js'

const NOW = 1_790_000_000
const TIMES = { notBefore: NOW - 60, notAfter: NOW + 86_400 }
let count = 0
const random: Random = (byteCount) => {
  count += 1
  return new Uint8Array(byteCount).fill(count)
}

interface Material {
  readonly der: Uint8Array
  readonly selfSigned: Uint8Array
  readonly rootPem: string
  readonly strangerPem: string
  readonly key: ReturnType<typeof parsePublicJwk>
  readonly otherKey: ReturnType<typeof parsePublicJwk>
}
let material: Material

beforeAll(async () => {
  const rootJwk = generatePrivateJwk('ES256')
  const root = await createCertificateAuthority(
    { commonName: 'Root', privateJwk: rootJwk, ...TIMES },
    { random },
  )
  const strangerJwk = generatePrivateJwk('ES256')
  const stranger = await createCertificateAuthority(
    { commonName: 'Stranger', privateJwk: strangerJwk, ...TIMES },
    { random },
  )
  const { publicJwk } = createSoftwareSigner(generatePrivateJwk('ES256'))
  const leaf = await issueCertificate(
    {
      commonName: 'agent-17',
      publicJwk,
      issuer: root,
      dnsNames: ['agent-17.example.com'],
      uris: ['spiffe://example/agent-17'],
      ...TIMES,
    },
    { random },
  )
  material = {
    der: Buffer.from(leaf.x5c[0] ?? '', 'base64'),
    selfSigned: new Uint8Array(new X509Certificate(root.pem).raw),
    rootPem: root.pem,
    strangerPem: stranger.pem,
    key: createSoftwareSigner(rootJwk).publicJwk,
    otherKey: publicJwk,
  }
})

const invalidClient = expect.objectContaining({ code: 'invalid_client' })

describe('clientCertificate', () => {
  test('reads the two ways in which proxies write a certificate, and takes neither for the other [MTLS-03]', () => {
    const pem = new X509Certificate(material.der).toString()
    const read = (value: string, format?: 'url-encoded-pem') => {
      const source = { from: 'proxy', header: 'X-Certificate', ...(format && { format }) } as const
      return clientCertificate({ headers: new Headers({ 'X-Certificate': value }) }, source)
    }
    const bytes = `:${Buffer.from(material.der).toString('base64')}:`
    const escaped = encodeURIComponent(pem)
    expect(read(bytes)).toEqual(material.der)
    for (const text of [escaped, escaped.replaceAll('%0A', '%0D%0A'), escaped.replace(/%0A$/, '')]) {
      expect(read(text, 'url-encoded-pem')).toEqual(material.der)
    }
    const bad = [
      '',
      'x',
      '%',
      bytes,
      `${escaped}${escaped}`,
      `${escaped}, ${escaped}`,
      pem.replaceAll('\n', ' '),
    ]
    for (const text of [...bad, escaped.replace('CERTIFICATE', 'PUBLIC KEY'), `x${escaped}`]) {
      expect(() => read(text, 'url-encoded-pem')).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      )
    }
    expect(() => read(`${escaped}${'%0A'.repeat(6000)}`, 'url-encoded-pem')).toThrow()
    expect(() => read(escaped)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })

  test('reads the connection, and never a header that a client sends itself [MTLS-03]', () => {
    const headers = new Headers({ 'Client-Cert': `:${Buffer.from('theirs').toString('base64')}:` })
    const tlsCertificate = material.der
    expect(clientCertificate({ tlsCertificate, headers }, { from: 'tls' })).toBe(tlsCertificate)
    expect(clientCertificate({ headers }, { from: 'tls' })).toBeUndefined()
  })

  test('reads the one header the host names for its authenticated proxy, strictly [MTLS-03]', () => {
    const proxy = { from: 'proxy', header: 'Client-Cert' } as const
    const encoded = Buffer.from(material.der).toString('base64')
    const read = (headers: Record<string, string>) =>
      clientCertificate({ headers: new Headers(headers) }, proxy)
    expect(Buffer.from(read({ 'Client-Cert': `:${encoded}:` }) ?? [])).toEqual(Buffer.from(material.der))
    expect(read({ 'X-Client-Cert': `:${encoded}:` })).toBeUndefined()
    for (const field of [encoded, `:${encoded}`, '::', `:${encoded}:, :${encoded}:`, '"a"']) {
      expect(() => read({ 'Client-Cert': field })).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      )
    }
  })
})

describe('verifyMtlsClient', () => {
  const byName = (pem: string, subject: { sanDns: string } | { sanUri: string }) => ({
    method: 'tls_client_auth' as const,
    anchors: createAnchors('clients', [pem]),
    subject,
  })

  test('takes a certificate of a trusted authority with the registered name, and no other [MTLS-04]', () => {
    const { der, rootPem, strangerPem } = material
    expect(() =>
      verifyMtlsClient([der], byName(rootPem, { sanDns: 'agent-17.example.com' }), NOW),
    ).not.toThrow()
    expect(() =>
      verifyMtlsClient([der], byName(rootPem, { sanUri: 'spiffe://example/agent-17' }), NOW),
    ).not.toThrow()
    for (const [certificates, registration] of [
      [[der], byName(rootPem, { sanDns: 'agent-18.example.com' })],
      [[der], byName(rootPem, { sanUri: 'agent-17.example.com' })],
      [[der], byName(strangerPem, { sanDns: 'agent-17.example.com' })],
      [[], byName(rootPem, { sanDns: 'agent-17.example.com' })],
    ] as const) {
      expect(() => verifyMtlsClient(certificates, registration, NOW)).toThrow(invalidClient)
    }
    expect(OAUTH_ERRORS.invalid_client).toBe(401)
  })

  test('takes a self-signed certificate with a registered key, and no other [MTLS-04]', () => {
    const { selfSigned, key, otherKey } = material
    const registered = (keys: readonly (typeof key)[]) => ({
      method: 'self_signed_tls_client_auth' as const,
      keys,
    })
    expect(() => verifyMtlsClient([selfSigned], registered([otherKey, key]), NOW)).not.toThrow()
    expect(() => verifyMtlsClient([selfSigned], registered([otherKey]), NOW)).toThrow(invalidClient)
    expect(() => verifyMtlsClient([selfSigned], registered([]), NOW)).toThrow(invalidClient)
    expect(() => verifyMtlsClient([selfSigned.subarray(3)], registered([key]), NOW)).toThrow(invalidClient)
  })
})

test('the thumbprint is over the DER of the certificate [MTLS-01]', () => {
  expect(certificateThumbprint(material.der)).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(certificateThumbprint(material.der)).not.toBe(certificateThumbprint(material.selfSigned))
})

test('a client with a certificate calls the alias where there is one [MTLS-05]', () => {
  const metadata: AuthorizationServerMetadata = {
    issuer: 'https://as.example.com',
    tokenEndpoint: 'https://as.example.com/token',
    tlsClientCertificateBoundAccessTokens: true,
    mtlsEndpointAliases: { token_endpoint: 'https://mtls.as.example.com/token' },
  }
  const read = parseAuthorizationServerMetadata(createAuthorizationServerMetadata(metadata), {
    issuer: metadata.issuer,
  })
  expect(read.tlsClientCertificateBoundAccessTokens).toBe(true)
  expect(mtlsEndpoint(read, 'token_endpoint', read.tokenEndpoint)).toBe('https://mtls.as.example.com/token')
  expect(mtlsEndpoint(read, 'introspection_endpoint', undefined)).toBeUndefined()
  expect(mtlsEndpoint(read, 'constructor', 'https://as.example.com/x')).toBe('https://as.example.com/x')
})
