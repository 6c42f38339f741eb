import { systemRandom } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { refuseUnsafeAnchors, UNSAFE_SUBJECT_PREFIX } from './unsafe-anchors.js'

const TIMES = { notBefore: 1_790_000_000, notAfter: 1_800_000_000 }
const deps = { random: systemRandom }

async function party(commonName: string) {
  const issuer = await createCertificateAuthority(
    { commonName, privateJwk: generatePrivateJwk('ES256'), ...TIMES },
    deps,
  )
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const { x5c } = await issueCertificate({ commonName, publicJwk, issuer, ...TIMES }, deps)
  return { pem: issuer.pem, signer: createSoftwareSigner(privateJwk, { x5c }) }
}

const real = await party('Example root')
const fake = await party(`${UNSAFE_SUBJECT_PREFIX}issuer`)
const vct = 'https://hr.example/types/agent-role/v1'
const attester = (pem: string) =>
  [{ name: 'wallet', anchors: createAnchors('attesters', [pem]), clients: 'any' }] as const

const unsafe = [
  ['an anchor', { trustedIssuers: [{ vct, anchors: [real.pem, fake.pem] }] }, real.signer],
  [
    'two anchors in one text',
    { trustedIssuers: [{ vct, anchors: [`${real.pem}${fake.pem}`] }] },
    real.signer,
  ],
  [
    'an anchor of status lists',
    { trustedIssuers: [{ vct, anchors: [real.pem], statusAnchors: [fake.pem] }] },
    real.signer,
  ],
  ['an attester', { trustedIssuers: [], walletAttesters: attester(fake.pem) }, real.signer],
  ['the own signer', { trustedIssuers: [{ vct, anchors: [real.pem] }] }, fake.signer],
] as const

describe('refuseUnsafeAnchors', () => {
  test.each(unsafe)('a test key as %s stops the start', (_where, options, signer) => {
    expect(() => refuseUnsafeAnchors(options, signer)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'unsafe_anchor' }),
    )
    expect(() => refuseUnsafeAnchors({ ...options, allowUnsafeAnchors: true }, signer)).not.toThrow()
  })

  test('real certificates pass, and what is none is left to whoever reads the list', () => {
    const trustedIssuers = [{ vct, anchors: [real.pem, 'no certificate'] }]
    const options = { trustedIssuers, walletAttesters: attester(real.pem) }
    expect(() => refuseUnsafeAnchors(options, real.signer)).not.toThrow()
  })
})
