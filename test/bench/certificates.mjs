/**
 * Keys and certificates of one run.
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
} from '@attache/keys'

const random = { random: systemRandom }
const now = systemClock()
const validity = { notBefore: now - 3600, notAfter: now + 86_400 }

/** An authority and a key below it, as plain data that a process can be told. */
export async function certify(name, names = {}) {
  const authority = await createCertificateAuthority(
    { commonName: `${name} root`, privateJwk: generatePrivateJwk('ES256'), ...validity },
    random,
  )
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const leaf = await issueCertificate(
    { commonName: name, publicJwk, issuer: authority, ...names, ...validity },
    random,
  )
  return { name, privateJwk, x5c: leaf.x5c, pem: leaf.pem, rootPem: authority.pem }
}

/** Key and certificate of an https server on localhost. */
export async function certifyTls() {
  const certified = await certify('localhost', {
    dnsNames: ['localhost'],
    extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'],
  })
  return { key: privateJwkToPem(certified.privateJwk), cert: certified.pem, ca: certified.rootPem }
}

export const signerOf = ({ privateJwk, x5c }) => createSoftwareSigner(privateJwk, { x5c })
export const anchorsOf = ({ name, rootPem }) => createAnchors(name, [rootPem])
export const freshSigner = () => createSoftwareSigner(generatePrivateJwk('ES256'))
