import { systemRandom } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { createCertificateAuthority, issueCertificate } from './certificates.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'
import { createAnchors, verifyCertificateChain } from './x509.js'

const NOW = 1_790_000_000
const DAY = 86_400
const deps = { random: systemRandom }
const times = { notBefore: NOW - DAY, notAfter: NOW + DAY }

const key = generatePrivateJwk('ES256')
const { publicJwk } = createSoftwareSigner(key)
const root = await createCertificateAuthority(
  { commonName: 'Acme Root', privateJwk: generatePrivateJwk('ES256'), ...times },
  deps,
)
const middle = await createCertificateAuthority(
  { commonName: 'Acme Issuing', privateJwk: generatePrivateJwk('ES256'), issuer: root, ...times },
  deps,
)
const anchors = createAnchors('trust.issuers', [root.pem])

describe('verifyCertificateChain', () => {
  test('returns key, names and hash of a leaf below a configured anchor [VC-K-08]', async () => {
    const { x5c } = await issueCertificate(
      {
        commonName: 'Acme People',
        publicJwk,
        issuer: middle,
        dnsNames: ['hr.acme.example'],
        uris: ['https://hr.acme.example'],
        ...times,
      },
      deps,
    )
    const chain = verifyCertificateChain(x5c, { anchors, now: NOW })
    expect(x5c).toHaveLength(2)
    expect(chain).toMatchObject({
      leafKey: publicJwk,
      subject: 'CN=Acme People',
      dnsNames: ['hr.acme.example'],
      uris: ['https://hr.acme.example'],
      notAfter: NOW + DAY,
      anchors: 'trust.issuers',
    })
    expect(createSoftwareSigner(key, { x5c }).x5c).toEqual(x5c)
  })
})
