import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { systemRandom } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseX5c,
  sha256,
  verifyCertificateChain,
  x5cFromPem,
} from '@attache/keys'
import * as x509 from '@peculiar/x509'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const DAY = 86_400
const deps = { random: systemRandom }
const times = { notBefore: NOW - DAY, notAfter: NOW + DAY }
const newKey = () => generatePrivateJwk('ES256')

const key = newKey()
const { publicJwk } = createSoftwareSigner(key)
const root = await createCertificateAuthority({ commonName: 'Root', privateJwk: newKey(), ...times }, deps)
const middle = await createCertificateAuthority(
  { commonName: 'Middle', privateJwk: newKey(), issuer: root, ...times },
  deps,
)
const stranger = await createCertificateAuthority(
  { commonName: 'Root', privateJwk: newKey(), ...times },
  deps,
)
const anchors = createAnchors('trust.issuers', [root.pem])

const issue = async (more: Partial<Parameters<typeof issueCertificate>[0]> = {}) =>
  (await issueCertificate({ commonName: 'Acme', publicJwk, issuer: middle, ...times, ...more }, deps)).x5c

const verify = (x5c: readonly string[], more: Partial<Parameters<typeof verifyCertificateChain>[1]> = {}) =>
  verifyCertificateChain(x5c, { anchors, now: NOW, ...more })

const refusal = (code: string) => expect.objectContaining({ code })

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Makes a certificate of any shape: which our own making would never produce. */
async function odd(
  extensions: x509.Extension[],
  options: { issuer?: CryptoKeyPair; subject?: string; issuerName?: string; hash?: string } = {},
) {
  const pair = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: '01',
      subject: options.subject ?? 'CN=Odd',
      issuer: options.issuerName ?? 'CN=Odd Root',
      notBefore: new Date(times.notBefore * 1000),
      notAfter: new Date(times.notAfter * 1000),
      publicKey: pair.publicKey,
      signingKey: (options.issuer ?? pair).privateKey,
      signingAlgorithm: { ...ECDSA, hash: options.hash ?? 'SHA-256' },
      extensions,
    },
    webcrypto,
  )
  return { pair, x5c: Buffer.from(certificate.rawData).toString('base64'), pem: certificate.toString('pem') }
}
type CryptoKeyPair =
  Awaited<ReturnType<typeof webcrypto.subtle.generateKey>> extends infer T
    ? Extract<T, { privateKey: unknown }>
    : never

const CA = [new x509.BasicConstraintsExtension(true, undefined, true)]
const oddRoot = await odd(CA, { subject: 'CN=Odd Root' })
const below = (
  extensions: x509.Extension[],
  more: { subject?: string; issuerName?: string; hash?: string } = {},
) => odd(extensions, { issuer: oddRoot.pair, ...more })
const verifyOdd = (...chain: { x5c: string }[]) =>
  verify(
    chain.map(({ x5c }) => x5c),
    { anchors: createAnchors('odd', [oddRoot.pem]) },
  )

describe('verifyCertificateChain', () => {
  test('returns key, names and hash of a leaf below a configured anchor [VC-K-08]', async () => {
    const names = { dnsNames: ['hr.acme.example'], uris: ['https://hr.acme.example'] }
    const x5c = await issue(names)
    expect(x5c).toHaveLength(2)
    const [leaf = ''] = x5c
    expect(verify(x5c)).toMatchObject({
      leafKey: publicJwk,
      subject: 'CN=Acme',
      ...names,
      sha256: Buffer.from(sha256(Buffer.from(leaf, 'base64'))).toString('base64url'),
      notAfter: NOW + DAY,
      anchors: 'trust.issuers',
    })
    expect(verify(await issue({ issuer: root })).authorityKeyIds).toHaveLength(1)
    expect(verify(x5c).authorityKeyIds).toHaveLength(2)
  })

  test('two subjects never read alike, whatever characters they are written with', async () => {
    const names = ['M\u00fcller', 'M\u00f6ller', 'M?ller', 'M\\C3\\BCller', 'a, O=b']
    const subjects = await Promise.all(
      names.map(async (commonName) => verify(await issue({ commonName })).subject),
    )
    expect(subjects[0]).toBe('CN=M\\C3\\BCller')
    expect(new Set(subjects).size).toBe(names.length)
    for (const subject of subjects) expect(subject).toMatch(/^[\x20-\x7e]+$/)
  })

  test('works with P-384, P-521, RSA and Ed25519 authorities', async () => {
    for (const alg of ['ES384', 'ES512', 'PS256', 'EdDSA'] as const) {
      const other = await createCertificateAuthority(
        { commonName: alg, privateJwk: generatePrivateJwk(alg), ...times },
        deps,
      )
      const x5c = await issue({ issuer: other })
      expect(verify(x5c, { anchors: createAnchors('other', [other.pem]) }).leafKey).toEqual(publicJwk)
    }
  })

  test('refuses a chain to another root and names the list that lacked it [VC-K-08]', async () => {
    const x5c = await issue({ issuer: stranger })
    expect(() => verify(x5c)).toThrow(refusal('anchor_not_found'))
    expect(() => verify(x5c)).toThrow(/trust\.issuers/)
    expect(() => verify(x5c, { anchors: createAnchors('none', []) })).toThrow(refusal('anchor_not_found'))
    try {
      verify(x5c)
    } catch (error) {
      expect(error instanceof Error && error.cause).toMatchObject({
        chain: [expect.stringMatching(/^CN=Acme \(sha-256 /)],
      })
    }
  })

  test('keeps lists apart: an anchor of one purpose does not serve another', async () => {
    const x5c = await issue({ issuer: stranger })
    const wallets = createAnchors('trust.walletProviders', [stranger.pem])
    expect(verify(x5c, { anchors: wallets }).anchors).toBe('trust.walletProviders')
    expect(() => verify(x5c)).toThrow(refusal('anchor_not_found'))
  })

  test('refuses expired and not yet valid certificates at any place of the path [VC-K-08]', async () => {
    expect(() => verify(x5cOfAll.expired)).toThrow(refusal('certificate_expired'))
    expect(() => verify(x5cOfAll.early)).toThrow(refusal('certificate_not_yet_valid'))
    const x5c = await issue({ notAfter: NOW + 9 * DAY })
    expect(() => verify(x5c, { now: NOW + DAY + 1 })).toThrow(refusal('certificate_expired'))
    expect(verify(x5c, { now: NOW + DAY }).notAfter).toBe(NOW + DAY)
    // The chain is known to be good by now; its times still count.
    expect(() => verify(x5c, { now: NOW + DAY + 1 })).toThrow(refusal('certificate_expired'))
    expect(() => verify(x5c, { now: NOW - DAY - 1 })).toThrow(refusal('certificate_not_yet_valid'))
  })

  test('an expired certificate of a renewed authority does not shadow the one in force [VC-K-08]', async () => {
    const privateJwk = newKey()
    const authority = (time: typeof times) =>
      createCertificateAuthority({ commonName: 'Renewed', privateJwk, ...time }, deps)
    const old = await authority({ notBefore: NOW - 2 * DAY, notAfter: NOW - DAY })
    const renewed = await authority(times)
    const x5c = await issue({ issuer: renewed })

    const both = createAnchors('both', [old.pem, renewed.pem])
    expect(verify(x5c, { anchors: both }).subject).toContain('Acme')
    expect(() => verify(x5c, { anchors: both, now: NOW + 2 * DAY })).toThrow(refusal('certificate_expired'))
    const onlyOld = createAnchors('old', [old.pem])
    expect(() => verify(x5c, { anchors: onlyOld })).toThrow(refusal('certificate_expired'))
  })

  test('refuses a self-signed leaf and a root inside the chain [VC-K-08]', async () => {
    const own = { commonName: 'Acme', privateJwk: key, ...times }
    const selfSigned = await createCertificateAuthority(own, deps)
    expect(() => verify(x5cFromPem(selfSigned.pem))).toThrow(refusal('certificate_self_signed'))
    expect(() => verify(x5cFromPem(root.pem))).toThrow(refusal('certificate_self_signed'))
    const withRoot = [...(await issue()), ...x5cFromPem(root.pem)]
    expect(() => verify(withRoot)).toThrow(refusal('certificate_anchor_in_chain'))

    const middleAnchor = createAnchors('middle', x5cAsPem(middle.intermediates))
    expect(() => verify(withRoot.slice(0, 2), { anchors: middleAnchor })).toThrow(
      refusal('certificate_anchor_in_chain'),
    )
    expect(verify(withRoot.slice(0, 1), { anchors: middleAnchor }).subject).toBe('CN=Acme')
  })

  test('refuses a wrong order, a gap and a forged link [VC-K-08]', async () => {
    const x5c = await issue()
    const lower = await createCertificateAuthority(
      { commonName: 'Lower', privateJwk: newKey(), issuer: middle, ...times },
      deps,
    )
    expect(() => verify([...x5c].reverse())).toThrow(expect.objectContaining({ name: 'VerificationError' }))
    expect(() => verify([x5c[0] ?? ''])).toThrow(refusal('anchor_not_found'))
    const gap = [(await issue({ issuer: lower }))[0] ?? '', ...middle.intermediates]
    expect(() => verify(gap)).toThrow(refusal('certificate_chain_broken'))

    expect(() => verify(x5cOfAll.forged)).toThrow(refusal('certificate_chain_broken'))
  })

  test('refuses an authority that is none, or may not sign certificates, or not this deep', () => {
    expect(() => verify(x5cOfAll.belowLeaf)).toThrow(refusal('certificate_not_ca'))
    // Middle has path length 0: an authority below it may not have leaves.
    expect(() => verify(x5cOfAll.tooDeep)).toThrow(refusal('certificate_path_length'))
  })

  test('refuses leaves that are authorities or not for signing', async () => {
    const authority = await below(CA)
    expect(() => verifyOdd(authority)).toThrow(refusal('certificate_key_usage'))
    const encipher = await below([new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyEncipherment, true)])
    expect(() => verifyOdd(encipher)).toThrow(refusal('certificate_key_usage'))
    const plain = await below([])
    expect(verifyOdd(plain).subject).toBe('CN=Odd')
  })

  test('refuses an intermediate without keyCertSign', async () => {
    const noSign = new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true)
    const intermediate = await below([...CA, noSign], { subject: 'CN=Mid' })
    const leaf = await odd([], { issuer: intermediate.pair, issuerName: 'CN=Mid' })
    expect(() => verifyOdd(leaf, intermediate)).toThrow(refusal('certificate_key_usage'))
  })

  test('refuses unknown critical extensions and name constraints, and lets others be', async () => {
    const value = new Uint8Array([0x04, 0x01, 0x00])
    expect(() => verifyOdd({ x5c: x5cOfAll.unknownCritical })).toThrow(
      refusal('certificate_critical_extension'),
    )
    const constraints = await below([new x509.Extension('2.5.29.30', false, new Uint8Array([0x30, 0x00]))])
    expect(() => verifyOdd(constraints)).toThrow(refusal('certificate_critical_extension'))
    const harmless = await below([new x509.Extension('1.2.3.4', false, value)])
    expect(verifyOdd(harmless).subject).toBe('CN=Odd')
  })

  test('refuses SHA-1 signatures', async () => {
    expect(() => verifyOdd({ x5c: x5cOfAll.sha1 })).toThrow(refusal('certificate_weak'))
  })

  test('demands the extended key usage asked for, and no stand-in', async () => {
    const usage = '1.3.6.1.4.1.99999.1'
    const x5c = await issue({ extendedKeyUsages: [usage] })
    expect(verify(x5c, { extendedKeyUsage: usage }).subject).toBe('CN=Acme')
    expect(verify(x5c, { extendedKeyUsage: usage }).subject).toBe('CN=Acme')
    expect(() => verify(x5c, { extendedKeyUsage: '1.3.6.1.4.1.99999.2' })).toThrow(
      refusal('certificate_extended_key_usage'),
    )
    const others = [await issue(), await issue({ extendedKeyUsages: ['2.5.29.37.0', '1.3.6.1.5.5.7.3.1'] })]
    for (const other of others) {
      expect(() => verify(other, { extendedKeyUsage: usage })).toThrow(
        refusal('certificate_extended_key_usage'),
      )
    }
  })

  test('takes standard base64 of DER only, and a chain of sensible length [VC-K-08]', async () => {
    const [leaf = '', next = ''] = await issue()
    const der = Buffer.from(leaf, 'base64')
    const bad = [
      der.toString('base64url'),
      `${leaf}\n`,
      ` ${leaf}`,
      leaf.replace(/=+$/, ''),
      '',
      'AAAA',
      Buffer.concat([der, Buffer.from([0])]).toString('base64'),
      der.subarray(0, -1).toString('base64'),
      'A'.repeat(20_000),
    ].filter((text) => text !== leaf)
    for (const text of bad) expect(() => verify([text, next])).toThrow(refusal('certificate_malformed'))
    expect(() => verify([])).toThrow(refusal('certificate_malformed'))
    expect(() => verify(Array(7).fill(leaf))).toThrow(refusal('certificate_chain_too_long'))
  })
})

describe('createAnchors', () => {
  test('refuses what is no CA certificate, at the start', async () => {
    const { pem } = await issueCertificate({ commonName: 'Acme', publicJwk, issuer: root, ...times }, deps)
    for (const bad of ['', 'x', pem, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']) {
      expect(() => createAnchors('list', [root.pem, bad])).toThrow(refusal('anchor_malformed'))
    }
  })

  test('reads several certificates of one text, and lists that were only written down', async () => {
    const both = createAnchors('list', [`${stranger.pem}${root.pem}`])
    expect(both.certificates).toHaveLength(2)
    expect(verify(await issue(), { anchors: { ...both } }).anchors).toBe('list')
  })
})

describe('parseX5c', () => {
  test('reads an array of texts', () => {
    expect(parseX5c(undefined)).toBeUndefined()
    expect(parseX5c(['a', 'b'])).toEqual(['a', 'b'])
    for (const bad of [null, 'a', [], [1], {}])
      expect(() => parseX5c(bad)).toThrow(refusal('certificate_malformed'))
  })
})

describe('createSoftwareSigner', () => {
  test('sends leaf and intermediates, never a root or a self-signed certificate', async () => {
    const x5c = await issue()
    expect(createSoftwareSigner(key, { x5c }).x5c).toEqual(x5c)
    const selfSigned = await createCertificateAuthority({ commonName: 'A', privateJwk: key, ...times }, deps)
    const refused = [
      ['self_signed', x5cFromPem(selfSigned.pem)],
      ['x5c_anchor', [...x5c, ...x5cFromPem(root.pem)]],
      ['x5c_key_mismatch', middle.intermediates],
      ['x5c_malformed', []],
      ['x5c_malformed', ['AAAA']],
    ] as const
    for (const [code, chain] of refused) {
      expect(() => createSoftwareSigner(key, { x5c: chain })).toThrow(refusal(code))
    }
  })
})

const x5cAsPem = (x5c: readonly string[]) =>
  x5c.map((der) => `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`)

/** Chains that take a while to make, made once. */
const x5cOfAll = await makeChains()
async function makeChains() {
  const lower = await createCertificateAuthority(
    { commonName: 'Lower', privateJwk: newKey(), issuer: middle, ...times },
    deps,
  )
  const leafAuthority = { commonName: 'Acme', privateJwk: key, intermediates: await issue(), pem: '' }
  const unknown = new x509.Extension('1.2.3.4', true, new Uint8Array([0x04, 0x01, 0x00]))
  return {
    expired: await issue({ notAfter: NOW - 1 }),
    early: await issue({ notBefore: NOW + 1 }),
    tooDeep: await issue({ issuer: lower }),
    belowLeaf: await issue({ issuer: leafAuthority, publicJwk: createSoftwareSigner(newKey()).publicJwk }),
    forged: await issue({ issuer: { ...middle, privateJwk: newKey() } }),
    unknownCritical: (await below([unknown])).x5c,
    sha1: (await below([], { hash: 'SHA-1' })).x5c,
  }
}
