/**
 * SD-JWT VC: issue, present 3 of 8 claims, verify with key binding, beside the raw ES256 signature and the
 * library's reading of the same text. Run over the built packages; ends with 1 when a goal is missed.
 *
 * @module
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createKeyPool, createSoftwareSigner, parsePublicJwk } from '@attache/keys'
import {
  createVerifiedIssuerCache,
  issueSdJwtVc,
  parseHeldSdJwtVc,
  presentSdJwtVc,
  verifySdJwtVc,
} from '@attache/sd-jwt'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { measure, report } from './measure.mjs'

const NOW = 1_790_000_000
const AUDIENCE = 'x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk'
const NONCE = 'ZkpRc2ZqT2ZxV0hKd3RzUQ'
// The published example keys of RFC 9901.
const ISSUER_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ',
  y: 'Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8',
  d: 'Ur2bNKuBPOrAaxsRnbSH6hIhmNTxSGXshDSUD1a1y7g',
}
const HOLDER_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc',
  y: 'ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ',
  d: '5K5SCos8zf9zRemGGUl6yfok-_NiiryNZsvANWMhF-I',
}

let counter = 0
const random = (byteCount) => {
  counter += 1
  return new Uint8Array(createHash('sha512').update(`bench:${counter}`).digest().subarray(0, byteCount))
}
const issuer = createSoftwareSigner(ISSUER_KEY)
const holder = createSoftwareSigner(HOLDER_KEY)
const names = ['agent', 'owner', 'role', 'region', 'department', 'purpose', 'employee_id', 'birth_date']
const CONTENT = {
  claims: {
    vct: 'https://issuer.example/types/agent-role/v1',
    iss: 'https://issuer.example',
    iat: NOW - 86_400,
    exp: NOW + 86_400,
    status: { status_list: { idx: 4711, uri: 'https://issuer.example/status/1' } },
    ...Object.fromEntries(names.map((name) => [name, `the ${name}`])),
  },
  disclosable: names.map((name) => [name]),
  holderKey: holder.publicJwk,
}
const PRESENTATION = {
  disclose: [['agent'], ['role'], ['region']],
  keyBinding: { signer: holder, audience: AUDIENCE, nonce: NONCE, issuedAt: NOW },
}

/** The raw signature, with the imported key at hand: the floor under everything else. */
function rawCases() {
  const bytes = Buffer.alloc(900, 7)
  const key = createPrivateKey({ key: ISSUER_KEY, format: 'jwk' })
  const publicKey = createPublicKey({ key: ISSUER_KEY, format: 'jwk' })
  const signature = sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })
  return [
    { name: 'raw ES256 sign', run: () => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }) },
    {
      name: 'raw ES256 verify',
      run: () => verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
    },
  ]
}

/** The library's verifier with synchronous callbacks; it checks less. */
function libraryCase(presentation) {
  const keyOf = (jwk) => createPublicKey({ key: jwk, format: 'jwk' })
  const check = (key) => (data, signature) =>
    verify(
      'sha256',
      Buffer.from(data),
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
  const instance = new SDJwtVcInstance({
    hasher: (data) => createHash('sha256').update(data).digest(),
    hashAlg: 'sha-256',
    verifier: check(keyOf(issuer.publicJwk)),
    kbVerifier: check(keyOf(holder.publicJwk)),
    statusListFetcher: async () => '',
    statusValidator: async () => undefined,
  })
  return () => instance.decode(presentation).then(() => instance.getClaims(presentation))
}

/** @returns {Promise<readonly import('./measure.mjs').Case[]>} */
async function createCases() {
  const credential = await issueSdJwtVc(CONTENT, { signer: issuer, random })
  const held = parseHeldSdJwtVc(credential)
  const presentation = await presentSdJwtVc(held, PRESENTATION)
  const key = parsePublicJwk(issuer.publicJwk)
  const expected = {
    resolveIssuerKey: async () => ({ key, issuer: 'https://issuer.example' }),
    acceptedTypes: [CONTENT.claims.vct],
    algorithms: ['ES256'],
    keyBinding: { audience: AUDIENCE, nonce: NONCE, maxAgeSeconds: 300 },
    holderKeys: createKeyPool(),
    now: NOW,
  }
  const known = {
    ...expected,
    verifiedIssuers: { cache: createVerifiedIssuerCache(), trustFingerprint: 'bench' },
  }
  const { holderKeys: _pool, ...stranger } = expected
  const [rawSign, rawVerify] = rawCases()
  return [
    rawSign,
    rawVerify,
    {
      name: 'issue, 8 disclosable claims',
      run: () => issueSdJwtVc(CONTENT, { signer: issuer, random }),
      share: { of: rawSign.name, times: 1 },
    },
    {
      name: 'present 3 of 8 with key binding',
      run: () => presentSdJwtVc(held, PRESENTATION),
      share: { of: rawSign.name, times: 1 },
    },
    {
      name: 'verify with key binding, holder seen before',
      run: () => verifySdJwtVc(presentation, expected),
      share: { of: rawVerify.name, times: 2, atLeast: 0.75 },
    },
    {
      name: 'verify with key binding, issuer JWT known',
      run: () => verifySdJwtVc(presentation, known),
      share: { of: rawVerify.name, times: 1, atLeast: 0.75 },
    },
    {
      name: 'verify with key binding, holder never seen',
      run: () => verifySdJwtVc(presentation, stranger),
      share: { of: rawVerify.name, times: 2 },
    },
    { name: 'library: decode and claims, no signature', run: libraryCase(presentation) },
  ]
}

const cases = await createCases()
const { lines, missed } = report(cases, await measure(cases, { rounds: 150 }))
console.log(lines.join('\n'))
if (missed.length > 0) {
  console.log(`Goals missed: ${missed.join('; ')}`)
  process.exitCode = 1
}
