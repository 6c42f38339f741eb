import { systemRandom, VerificationError } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSeal,
  createSoftwareSigner,
  decryptJwe,
  encryptJwe,
  generateDecryptionKey,
  generatePrivateJwk,
  issueCertificate,
  parseJwks,
  parseJws,
  parsePublicJwk,
  signJws,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const deps = { random: systemRandom }
const times = { notBefore: NOW - 60, notAfter: NOW + 60 }
const runs = { seed: 7, numRuns: 400 }

const privateJwk = generatePrivateJwk('ES256')
const signer = createSoftwareSigner(privateJwk)
const root = await createCertificateAuthority(
  { commonName: 'Root', privateJwk: generatePrivateJwk('ES256'), ...times },
  deps,
)
const leaf = { commonName: 'Leaf', publicJwk: signer.publicJwk, issuer: root, uris: ['https://a.example'] }
const { x5c } = await issueCertificate({ ...leaf, ...times }, deps)
const anchors = createAnchors('anchors', [root.pem])
const token = await signJws({ header: { typ: 'x' }, payload: { a: 1 } }, signer)
const key = generateDecryptionKey()
const jwe = await encryptJwe(new Uint8Array(40), { jwk: key.publicJwk, enc: 'A256GCM' })

/** Passes, or throws the error kind of a failed check; everything else is a fault of ours. */
function outcome(work: () => unknown): 'passed' | 'refused' {
  try {
    work()
    return 'passed'
  } catch (error) {
    if (error instanceof VerificationError) return 'refused'
    throw error
  }
}

/** One byte of a text of bytes replaced. */
const oneByte = (length: number) => fc.record({ at: fc.nat({ max: length - 1 }), byte: fc.nat({ max: 255 }) })

describe('what comes from outside', () => {
  test('a certificate with one changed byte is never accepted and never a fault', () => {
    const der = Buffer.from(x5c[0] ?? '', 'base64')
    fc.assert(
      fc.property(oneByte(der.length), ({ at, byte }) => {
        const changed = Buffer.from(der)
        changed[at] = byte
        const verified = outcome(() =>
          verifyCertificateChain([changed.toString('base64')], { anchors, now: NOW }),
        )
        expect(verified).toBe(changed.equals(der) ? 'passed' : 'refused')
      }),
      runs,
    )
  })

  test('bytes that call themselves a certificate are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64')
        expect(outcome(() => verifyCertificateChain([text], { anchors, now: NOW }))).toBe('refused')
      }),
      runs,
    )
  })

  test('a token with one changed character is never accepted [SDJWT-D-06]', () => {
    const characters = fc.constantFrom(...'ABz09-_.=+/ \n~"')
    fc.assert(
      fc.property(fc.nat({ max: token.length - 1 }), characters, (at, character) => {
        const changed = `${token.slice(0, at)}${character}${token.slice(at + 1)}`
        const expected = { typ: 'x', algorithms: ['ES256'], key: signer.publicJwk } as const
        const verified = outcome(() => verifyJws(parseJws(changed), expected))
        expect(verified).toBe(changed === token ? 'passed' : 'refused')
      }),
      runs,
    )
  })

  test('JSON that calls itself a key or a key set is parsed or refused', () => {
    const kty = fc.constantFrom('EC', 'OKP', 'RSA', 'oct', 1)
    const crv = fc.constantFrom('P-256', 'Ed25519', 'X25519', null)
    const shape = {
      kty,
      crv,
      x: fc.base64String(),
      y: fc.base64String(),
      n: fc.base64String(),
      e: fc.base64String(),
    }
    fc.assert(
      fc.property(fc.oneof(fc.record(shape, { requiredKeys: [] }), fc.jsonValue()), (value) => {
        expect(outcome(() => parsePublicJwk(value))).toBe('refused')
        outcome(() => parseJwks(value))
        expect(parseJwks({ keys: [value] })).toEqual([])
      }),
      runs,
    )
  })

  test('an encrypted message with one changed character is refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: jwe.length - 1 }),
        fc.constantFrom(...'ABz_.='),
        async (at, character) => {
          const changed = `${jwe.slice(0, at)}${character}${jwe.slice(at + 1)}`
          if (changed === jwe) return
          const expected = { keys: [key], encs: ['A256GCM'] } as const
          await expect(decryptJwe(changed, expected)).rejects.toBeInstanceOf(VerificationError)
        },
      ),
      { ...runs, numRuns: 200 },
    )
  })

  test('any text opens a seal as undefined', () => {
    const seal = createSeal([{ id: 'k1', key: new Uint8Array(32) }], deps)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `k1.${text}`),
        ),
        (text) => {
          expect(seal.open(text, { purpose: 'p', now: NOW })).toBeUndefined()
        },
      ),
      runs,
    )
  })
})
