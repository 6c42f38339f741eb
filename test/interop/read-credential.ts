/**
 * Reading an SD-JWT VC of ours, with its status list, by another library.
 *
 * The library puts the disclosures back and looks the status up; signatures and chains are checked with `jose`
 * and `node:crypto`.
 *
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto'
import { isJsonObject, member } from '@attache/core'
import { parsePublicJwk } from '@attache/keys'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { compactVerify, decodeProtectedHeader, importJWK, importX509, type JWK } from 'jose'
import { createPeerFetch } from './peer-fetch.js'

/**
 * @param authorityPem What must have signed the leaf in `x5c`, of the credential and of its status list.
 * @returns The claims with everything disclosed.
 */
export async function readCredential(
  credential: string,
  authorityPem: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { payload } = await libraryFor(authorityPem).verify(credential)
  return { ...payload }
}

/**
 * Reads an SD-JWT+KB as a verifier: what was disclosed, bound to this very request.
 *
 * The library compares the nonce and checks the KB-JWT's signature with `cnf`; the audience is the host's matter.
 */
export async function readPresentation(
  presentation: string,
  authorityPem: string,
  bound: { readonly audience: string; readonly nonce: string },
): Promise<Readonly<Record<string, unknown>>> {
  const read = await libraryFor(authorityPem).verify(presentation, { keyBindingNonce: bound.nonce })
  if (read.kb?.payload.aud !== bound.audience) throw new Error('The presentation is for another verifier.')
  return { ...read.payload }
}

function libraryFor(authorityPem: string): SDJwtVcInstance {
  const verifier = (data: string, signature: string) => verify(`${data}.${signature}`, authorityPem)
  return new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(text(data)).digest(),
    verifier,
    kbVerifier: async (data, signature, payload) => {
      await compactVerify(`${data}.${signature}`, await importJWK(holderKey(payload), 'ES256'))
      return true
    },
    statusVerifier: verifier,
    statusListFetcher: async (uri) => {
      const { fetch } = createPeerFetch()
      return (await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } })).text()
    },
  })
}

function holderKey(payload: object): JWK {
  const cnf: unknown = Reflect.get(payload, 'cnf')
  const { kty, crv = '', x = '', y = '' } = parsePublicJwk(isJsonObject(cnf) ? member(cnf, 'jwk') : undefined)
  return { kty, crv, x, y }
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
