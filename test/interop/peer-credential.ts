/**
 * An SD-JWT VC that another library makes, signed with `node:crypto`.
 *
 * @module
 */
import { createHash, createPrivateKey, randomBytes, sign } from 'node:crypto'
import { systemClock } from '@attache/core'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { decodeProtectedHeader } from 'jose'
import { type Certified, ecPrivateJwk } from './world.js'

const CLAIMS = {
  agent: 'payroll-export',
  owner: 'Ngozi Okafor',
  role: 'Manager',
  region: 'EU',
  birth_date: '1984-03-12',
}

/** Issues a role credential for the key of a key proof. */
export async function issueByPeer(
  facts: { readonly vct: string; readonly issuer: string; readonly proof: string },
  { signer, privateJwk }: Certified,
): Promise<string> {
  const key = createPrivateKey({ key: { ...ecPrivateJwk(privateJwk) }, format: 'jwk' })
  const library = new SDJwtVcInstance({
    hasher: (data, algorithm) =>
      createHash(algorithm.replace('-', ''))
        .update(typeof data === 'string' ? data : new Uint8Array(data))
        .digest(),
    saltGenerator: (bytes) => randomBytes(bytes).toString('base64url'),
    hashAlg: 'sha-256',
    signAlg: 'ES256',
    signer: async (data) =>
      sign('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  })
  const { jwk } = decodeProtectedHeader(facts.proof)
  const now = systemClock()
  const times = { iat: now, exp: now + 30 * 86_400 }
  const payload = { vct: facts.vct, iss: facts.issuer, ...times, cnf: { jwk }, ...CLAIMS }
  const frame = {
    _sd: ['agent' as const, 'owner' as const, 'role' as const, 'region' as const, 'birth_date' as const],
  }
  return library.issue(payload, frame, { header: { x5c: [...(signer.x5c ?? [])] } })
}
