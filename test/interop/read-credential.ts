/**
 * Reading an SD-JWT VC of ours, with its status list, by another library.
 *
 * The library puts the disclosures back and looks the status up; signatures and chains are checked with `jose`
 * and `node:crypto`.
 *
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { compactVerify, decodeProtectedHeader, importX509 } from 'jose'
import { createPeerFetch } from './peer-fetch.js'

/**
 * @param authorityPem What must have signed the leaf in `x5c`, of the credential and of its status list.
 * @returns The claims with everything disclosed.
 */
export async function readCredential(
  credential: string,
  authorityPem: string,
): Promise<Readonly<Record<string, unknown>>> {
  const verifier = (data: string, signature: string) => verify(`${data}.${signature}`, authorityPem)
  const library = new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(text(data)).digest(),
    verifier,
    statusVerifier: verifier,
    statusListFetcher: async (uri) => {
      const { fetch } = createPeerFetch()
      return (await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } })).text()
    },
  })
  const { payload } = await library.verify(credential)
  return { ...payload }
}

async function verify(jwt: string, authorityPem: string): Promise<boolean> {
  const { x5c = [], alg = '' } = decodeProtectedHeader(jwt)
  const leaf = new X509Certificate(Buffer.from(x5c[0] ?? '', 'base64'))
  if (!leaf.verify(new X509Certificate(authorityPem).publicKey)) return false
  await compactVerify(jwt, await importX509(leaf.toString(), alg))
  return true
}

function text(data: string | ArrayBuffer): string | Uint8Array {
  return typeof data === 'string' ? data : new Uint8Array(data)
}
