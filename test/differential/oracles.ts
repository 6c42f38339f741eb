/**
 * Two other judges of an SD-JWT: the library's own verifier, and `jose` for the issuer-signed JWT.
 *
 * Neither is our wire. They answer one question: is there a text that we accept and they do not?
 *
 * @module
 */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto'
import { isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { importJWK, jwtVerify } from 'jose'

/** What the other judges are told; the same that ours is. */
export interface OraclePolicy {
  readonly typ: string
  readonly issuerJwk: JsonWebKey
  readonly now: number
  readonly toleranceSeconds: number
  readonly nonce: string | undefined
  readonly requiredClaims: readonly string[]
}

/** Processed claims, or `undefined` for a refusal of whatever kind. */
export type OracleVerdict = JsonObject | undefined

const keyOf = (jwk: JsonWebKey) => createPublicKey({ key: jwk, format: 'jwk' })
const holds = (key: KeyObject, data: string, signature: string) =>
  verify('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))

/** The library, given every callback and option it has for the policy. */
export async function askLibrary(text: string, policy: OraclePolicy): Promise<OracleVerdict> {
  const key = keyOf(policy.issuerJwk)
  const instance = new SDJwtVcInstance({
    hasher: (data, alg) =>
      createHash(alg.replace('-', ''))
        .update(typeof data === 'string' ? data : new Uint8Array(data))
        .digest(),
    verifier: (data, signature) => holds(key, data, signature),
    kbVerifier: (data, signature, payload) => {
      const { cnf } = payload
      return cnf !== undefined && holds(keyOf({ ...cnf.jwk }), data, signature)
    },
    // Whether the status is good is not the question here.
    statusListFetcher: async () => STATUS_LIST,
    statusVerifier: async () => true,
    statusValidator: async () => undefined,
  })
  try {
    const { payload } = await instance.verify(text, {
      currentDate: policy.now,
      skewSeconds: policy.toleranceSeconds,
      requiredClaimKeys: [...policy.requiredClaims],
      ...(policy.nonce === undefined ? {} : { keyBindingNonce: policy.nonce }),
    })
    const claims: unknown = JSON.parse(JSON.stringify(payload))
    return isJsonObject(claims) ? claims : undefined
  } catch {
    return undefined
  }
}

/** `jose` on the issuer-signed JWT alone: signature, algorithm, typ, times. */
export async function askJose(text: string, policy: OraclePolicy): Promise<OracleVerdict> {
  try {
    const { payload } = await jwtVerify(
      text.split('~')[0] ?? '',
      await importJWK({ ...policy.issuerJwk }, 'ES256'),
      {
        algorithms: ['ES256'],
        typ: policy.typ,
        currentDate: new Date(policy.now * 1000),
        clockTolerance: policy.toleranceSeconds,
      },
    )
    const claims: JsonValue = JSON.parse(JSON.stringify(payload))
    return isJsonObject(claims) ? claims : undefined
  } catch {
    return undefined
  }
}

const part = (value: JsonValue) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** Sixteen entries of VALID, signed by nobody. */
const STATUS_LIST = [
  part({ alg: 'ES256', typ: 'statuslist+jwt' }),
  part({ iat: 1, exp: 4_102_444_800, sub: 'x', status_list: { bits: 1, lst: 'eNpjYAAAAAIAAQ' } }),
  'AA',
].join('.')
