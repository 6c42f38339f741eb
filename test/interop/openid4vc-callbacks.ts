/**
 * What `@openid4vc/*` asks of its host: signatures, hashes, JWE and randomness.
 *
 * Made with `jose` and `node:crypto`, not with our own rooms, so that both sides of a meeting are strangers.
 *
 * @module
 */
import {
  createHash,
  createPrivateKey,
  type JsonWebKey,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import {
  type CallbackContext,
  clientAuthenticationAnonymous,
  type Jwk,
  type JwtSigner,
  type JwtSignerJwk,
  type JwtSignerX5c,
} from '@openid4vc/oauth2'
import {
  CompactEncrypt,
  CompactSign,
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  importX509,
  type JWK,
} from 'jose'

/** The keys a peer holds. */
export interface PeerKeys {
  /** Makes a key and names it as a signer. */
  create(): Promise<JwtSignerJwk>
  /** Takes a certified key. */
  certified(privateJwk: JWK, x5c: readonly string[]): Promise<JwtSignerX5c>
  /** Makes a key to decrypt with. */
  createDecryption(): Promise<Jwk>
  /** The public half of a signer's key. */
  publicJwk(signer: JwtSignerJwk): JWK
  /** Signs bytes as they are; base64url of the signature. */
  sign(signer: JwtSignerJwk, data: string): Promise<string>
  readonly callbacks: CallbackContext
}

interface Ring {
  /** Private JWKs by thumbprint, by leaf certificate, or by `kid`. */
  readonly held: Map<string, JWK>
}

/** Keys by Client Identifier, of clients that are registered or federated. */
export type KnownKeys = ReadonlyMap<string, JWK>

/** Makes the key ring of one peer, with the callbacks that use it. */
export function createPeerKeys(fetch: typeof globalThis.fetch, known: KnownKeys = new Map()): PeerKeys {
  const ring: Ring = { held: new Map() }
  return {
    async create() {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true })
      const jwk = await exportJWK(privateKey)
      ring.held.set(await calculateJwkThumbprint(jwk), jwk)
      return { method: 'jwk', alg: 'ES256', publicJwk: publicHalf(jwk) }
    },
    async certified(privateJwk, x5c) {
      ring.held.set(x5c[0] ?? '', privateJwk)
      return { method: 'x5c', alg: 'ES256', x5c: [...x5c] }
    },
    async createDecryption() {
      const { privateKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
      const jwk = await exportJWK(privateKey)
      const kid = await calculateJwkThumbprint(jwk)
      ring.held.set(kid, jwk)
      return { ...publicHalf(jwk), kid, use: 'enc', alg: 'ECDH-ES' }
    },
    publicJwk: (signer) => publicHalf(signer.publicJwk),
    async sign(signer, data) {
      const key = createPrivateKey({ key: nodeJwk(await heldKey(signer, ring)), format: 'jwk' })
      return sign('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    },
    callbacks: {
      fetch,
      hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
      generateRandom: (byteLength) => randomBytes(byteLength),
      clientAuthentication: clientAuthenticationAnonymous(),
      signJwt: async (signer, { header, payload }) => {
        const jwk = await heldKey(signer, ring)
        const content = new TextEncoder().encode(JSON.stringify(payload))
        const jwt = await new CompactSign(content)
          .setProtectedHeader(present({ ...header, alg: signer.alg }))
          .sign(await importJWK(jwk, signer.alg))
        return { jwt, signerJwk: publicHalf(jwk) }
      },
      verifyJwt: (signer, { compact }) => verifyCompact(signer, compact, known),
      encryptJwe: async (recipient, data) => {
        const { publicJwk, alg, enc } = recipient
        const kid = publicJwk.kid === undefined ? {} : { kid: publicJwk.kid }
        const jwe = await new CompactEncrypt(new TextEncoder().encode(data))
          .setProtectedHeader({ alg, enc, ...kid })
          .encrypt(await importJWK(publicHalf(publicJwk), alg))
        return { encryptionJwk: publicJwk, jwe }
      },
      decryptJwe: async (jwe) => {
        const { kid = '', alg } = decodeProtectedHeader(jwe)
        const jwk = ring.held.get(kid)
        if (jwk === undefined) return { decrypted: false }
        const { plaintext } = await compactDecrypt(jwe, await importJWK(jwk, alg))
        return {
          decrypted: true,
          decryptionJwk: { ...publicHalf(jwk), kid },
          payload: new TextDecoder().decode(plaintext),
        }
      },
      getX509CertificateMetadata: (certificate) => {
        const names = (new X509Certificate(Buffer.from(certificate, 'base64')).subjectAltName ?? '').split(
          ', ',
        )
        const of = (kind: string) =>
          names.filter((name) => name.startsWith(`${kind}:`)).map((name) => name.slice(kind.length + 1))
        return { sanDnsNames: of('DNS'), sanUriNames: of('URI') }
      },
    },
  }
}

async function heldKey(signer: JwtSigner, { held }: Ring): Promise<JWK> {
  const name =
    signer.method === 'jwk'
      ? await calculateJwkThumbprint(publicHalf(signer.publicJwk))
      : signer.method === 'x5c'
        ? signer.x5c[0]
        : undefined
  const jwk = name === undefined ? undefined : held.get(name)
  if (jwk === undefined) throw new Error('The peer holds no such key.')
  return jwk
}

/** A key that is found by a name: in a did:jwk, in an attestation that comes along, or among those known before. */
function namedKey(signer: JwtSigner, compact: string, known: KnownKeys): JWK | undefined {
  const { payload, header } = { payload: decodeJwt(compact), header: decodeProtectedHeader(compact) }
  if (signer.method === 'did') {
    const encoded = /^did:jwk:([\w-]+)#0$/.exec(signer.didUrl)?.[1] ?? ''
    return JSON.parse(Buffer.from(encoded, 'base64url').toString())
  }
  // Whether the attester is trusted is its host's business; these hosts trust the one there is.
  if (typeof header['jwt'] === 'string') return attestedKey(header['jwt'])
  return known.get(String(payload['client_id']))
}

function attestedKey(attestation: string): JWK | undefined {
  const { cnf } = decodeJwt<{ cnf?: { jwk?: JWK } }>(attestation)
  return cnf?.jwk
}

async function verifyCompact(
  signer: JwtSigner,
  compact: string,
  known: KnownKeys,
): Promise<{ verified: true; signerJwk: Jwk } | { verified: false }> {
  try {
    if (signer.method === 'jwk') {
      await compactVerify(compact, await importJWK(publicHalf(signer.publicJwk), signer.alg))
      return { verified: true, signerJwk: signer.publicJwk }
    }
    if (signer.method === 'did' || signer.method === 'custom' || signer.method === 'federation') {
      const named = namedKey(signer, compact, known)
      if (named === undefined) return { verified: false }
      await compactVerify(compact, await importJWK(publicHalf(named), signer.alg))
      return { verified: true, signerJwk: publicHalf(named) }
    }
    if (signer.method !== 'x5c') return { verified: false }
    const pem = `-----BEGIN CERTIFICATE-----\n${signer.x5c[0]}\n-----END CERTIFICATE-----`
    const key = await importX509(pem, signer.alg, { extractable: true })
    await compactVerify(compact, key)
    return { verified: true, signerJwk: publicHalf(await exportJWK(key)) }
  } catch {
    return { verified: false }
  }
}

type AnyJwk = { readonly [Name in 'kty' | 'crv' | 'x' | 'y']?: string | undefined }

function publicHalf({ kty, crv, x, y }: AnyJwk): { kty: string; crv: string; x: string; y: string } {
  if (kty === undefined || crv === undefined || x === undefined || y === undefined) {
    throw new Error('The peer uses elliptic curve keys only.')
  }
  return { kty, crv, x, y }
}

/** The members that are there: jose tells an absent one from an undefined one. */
function present(header: Readonly<Record<string, unknown>>): { alg: string; [name: string]: unknown } {
  return { alg: '', ...Object.fromEntries(Object.entries(header).filter(([, value]) => value !== undefined)) }
}

function nodeJwk({ kty = '', crv = '', x = '', y = '', d = '' }: JWK): JsonWebKey {
  return { kty, crv, x, y, d }
}
