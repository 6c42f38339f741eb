/**
 * Ready-made parties and SD-JWTs, sound and forged.
 *
 * The forging half signs whatever it is given, byte for byte: it makes what no issuer of ours would.
 *
 * @module
 */
import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import { createSoftwareSigner, digest, type Signer } from '@attache/keys'
import type { IssuerKeyResolver, SdJwtExpectation, SdJwtVcContent, SdJwtVcExpectation } from '@attache/sd-jwt'
import { NOW } from './clock.js'
import { HOLDER_KEY, ISSUER_KEY, OTHER_ISSUER_KEY } from './published-keys.js'

export const ISSUER = 'https://issuer.example'
export const VCT = 'https://issuer.example/types/agent-role/v1'
export const AUDIENCE = 'x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk'
export const NONCE = 'n-0S6_WzA2Mj'

export const issuerSigner = createSoftwareSigner(ISSUER_KEY)
export const holderSigner = createSoftwareSigner(HOLDER_KEY)
export const otherSigner = createSoftwareSigner(OTHER_ISSUER_KEY)

/** Trusts the issuer's key, whatever the credential says. */
export const trustIssuer: IssuerKeyResolver = async () => ({ key: issuerSigner.publicJwk, issuer: ISSUER })

export const NO_BINDING: SdJwtVcExpectation = {
  resolveIssuerKey: trustIssuer,
  acceptedTypes: [VCT],
  algorithms: ['ES256'],
  keyBinding: 'not-required',
  now: NOW,
}

export const BINDING: SdJwtVcExpectation = {
  ...NO_BINDING,
  keyBinding: { audience: AUDIENCE, nonce: NONCE, maxAgeSeconds: 300 },
}

/** For SD-JWTs that are no credentials. */
export const GENERIC: SdJwtExpectation & { readonly typ: string } = { ...NO_BINDING, typ: 'example+sd-jwt' }

export const CLAIMS = {
  vct: VCT,
  iss: ISSUER,
  iat: NOW - 86_400,
  exp: NOW + 86_400,
  agent: 'agent-7',
  owner: { name: 'Ada', email: 'ada@example.com' },
  regions: ['EU', 'US', 'APAC'],
  'a.b': 'dotted',
  a: { b: 'nested', c: 'other' },
} as const

/** A credential with nested, recursive and array disclosures. */
export const CONTENT: SdJwtVcContent = {
  claims: CLAIMS,
  disclosable: [
    ['agent'],
    ['owner'],
    ['owner', 'name'],
    ['owner', 'email'],
    ['regions', null],
    ['a.b'],
    ['a', 'b'],
    ['a', 'c'],
  ],
  holderKey: holderSigner.publicJwk,
}

/** Base64url of the JSON of a value. */
export function encodeJson(value: JsonValue): string {
  return encodeBase64url(utf8(JSON.stringify(value)))
}

/** An encoded Disclosure, of any shape. */
export function disclose(...elements: readonly JsonValue[]): string {
  return encodeJson(elements)
}

/** The digest of an encoded Disclosure. */
export function digestOf(encoded: string): string {
  return digest('sha-256', encoded)
}

/** Signs header and payload exactly as given. */
export async function signRaw(
  header: JsonValue | string,
  payload: JsonValue | string,
  signer: Signer = issuerSigner,
): Promise<string> {
  const part = (value: JsonValue) =>
    encodeBase64url(utf8(typeof value === 'string' ? value : JSON.stringify(value)))
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${encodeBase64url(await signer.sign(utf8(input)))}`
}

/** An SD-JWT VC with whatever payload and Disclosures, signed by the trusted issuer. */
export async function forge(
  payload: JsonObject,
  disclosures: readonly string[] = [],
  header: JsonObject = {},
): Promise<string> {
  const jwt = await signRaw(
    { alg: 'ES256', typ: 'dc+sd-jwt', ...header },
    { vct: VCT, iss: ISSUER, cnf: { jwk: holderSigner.publicJwk }, ...payload },
  )
  return [jwt, ...disclosures, ''].join('~')
}

/** An SD-JWT+KB whose KB-JWT is sound but for what is overridden. */
export async function bind(
  presented: string,
  override: { header?: JsonObject; payload?: JsonObject; signer?: Signer } = {},
): Promise<string> {
  const header = { alg: 'ES256', typ: 'kb+jwt', ...override.header }
  const payload = {
    iat: NOW,
    aud: AUDIENCE,
    nonce: NONCE,
    sd_hash: digest('sha-256', presented),
    ...override.payload,
  }
  return presented + (await signRaw(header, payload, override.signer ?? holderSigner))
}
