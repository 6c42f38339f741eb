/**
 * Attacks on the endpoint that receives presentations: rows 3, 5, 6, 7, 8, 12 and 22 of the threat model.
 *
 * @module
 */

import { createHmac } from 'node:crypto'
import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
} from '@attache/keys'
import { createDpopProof } from '@attache/oauth'
import { directPostBody, hashTransactionData } from '@attache/openid4vp'
import { NOW } from '../support/clock.js'
import {
  bindTo,
  disclosure,
  encodeJson,
  type Forgery,
  forge,
  forgedFor,
  hashOf,
  holder,
  only,
  plainJwk,
  REGION,
  ROLE,
  signRaw,
} from '../support/forged-presentation.js'
import {
  certified,
  createWallet,
  fetchRequest,
  freshKey,
  ISSUER,
  present,
  QUERY,
  STATUS_URI,
  signers,
  VCT,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'
import {
  type AnswerAttack,
  type AnswerScene,
  holdToken,
  type Library,
  postForm,
  postPresentation,
  postToken,
} from './attack.js'

const SD_JWT = '@sd-jwt/sd-jwt-vc verify(text)'
const SD_JWT_NONCE = '@sd-jwt/sd-jwt-vc verify(text, { keyBindingNonce })'
const OPENID4VP = '@openid4vc/openid4vp parseOpenid4vpAuthorizationResponse'
const DCQL = 'dcql DcqlQuery.query'
const JOSE = 'jose jwtVerify(KB-JWT, cnf key)'
const BINDING: readonly Library[] = [SD_JWT, SD_JWT_NONCE, JOSE]
const CREDENTIAL: readonly Library[] = [SD_JWT, SD_JWT_NONCE]

const random = createSeededRandom('attacks')
const rogue = freshKey()
const YEAR = 31_536_000
const TIMES = { notBefore: NOW - YEAR, notAfter: NOW + YEAR }
const foreignAuthority = await createCertificateAuthority(
  { commonName: 'Example Anchor', privateJwk: generatePrivateJwk('ES256'), ...TIMES },
  { random },
)
const foreign = await certified('issuer.example', foreignAuthority)
const neighbour = await certified('neighbour.example')

async function selfSigned(): Promise<Signer> {
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const issuer = { commonName: 'issuer.example', pem: '', intermediates: [], privateJwk }
  const { x5c } = await issueCertificate(
    { commonName: 'issuer.example', publicJwk, issuer, dnsNames: ['issuer.example'], ...TIMES },
    { random },
  )
  // Put in by hand: a signer of ours would not carry it.
  return { ...createSoftwareSigner(privateJwk), x5c }
}

type Change = (scene: AnswerScene) => Promise<string> | string

/** An attack whose presentation is made anew. */
function attack(
  name: string,
  facts: Omit<AnswerAttack, 'name' | 'forge' | 'libraries'> & { readonly libraries?: readonly Library[] },
  make: Change,
): AnswerAttack {
  return {
    name,
    libraries: CREDENTIAL,
    ...facts,
    forge: async (scene) => postPresentation(scene, await make(scene)),
  }
}

/** A KB-JWT that is sound but for these members. */
const bound =
  (binding: { header?: JsonObject; payload?: JsonObject; signer?: Signer }): Change =>
  ({ request }) =>
    forgedFor(request, {}, binding)

/** A credential that is sound but for this, under a sound KB-JWT. */
const issued =
  (forgery: Forgery): Change =>
  ({ request }) =>
    forgedFor(request, forgery)

const disclosed = (disclosures: readonly string[], payload: JsonObject = {}): Change =>
  issued({
    disclosures: [ROLE, REGION, ...disclosures],
    payload: { _sd: [ROLE, REGION, ...disclosures].map(hashOf), ...payload },
  })

/** The MAC that an attacker makes with a public key everybody knows. */
function macWith(header: JsonObject, payload: JsonObject, secret: JsonObject): string {
  const input = `${encodeJson(header)}.${encodeJson(payload)}`
  return `${input}.${createHmac('sha256', JSON.stringify(secret)).update(input).digest('base64url')}`
}

const keyBindingOf = (scene: AnswerScene, presented: string): JsonObject => ({
  iat: NOW,
  aud: scene.request.clientId ?? '',
  nonce: scene.request.nonce,
  sd_hash: hashOf(presented),
})

const REPLAY: readonly AnswerAttack[] = [
  attack(
    'a presentation captured from another transaction',
    { row: 3, refused: 'kb_nonce_mismatch', libraries: BINDING },
    async ({ world }) => {
      const { requestUrl } = await world.verifier.startTransaction({
        query: QUERY,
        responseMode: 'direct_post',
      })
      const { request } = await fetchRequest(world, requestUrl)
      return forgedFor(request)
    },
  ),
  attack(
    'made for an evil verifier that copied our nonce',
    { row: 3, refused: 'kb_aud_mismatch', libraries: BINDING },
    ({ request }) => forgedFor({ ...request, clientId: 'x509_hash:evil' }),
  ),
  attack('key binding cut off', { row: 3, refused: 'kb_missing', libraries: CREDENTIAL }, () => forge()),
  attack(
    'bound by another key',
    { row: 3, refused: 'kb_signature_invalid', libraries: BINDING },
    bound({ signer: rogue }),
  ),
  attack(
    'bound by a key that the KB-JWT brings along',
    { row: 3, refused: 'kb_signature_invalid', libraries: BINDING },
    bound({ signer: rogue, header: { jwk: plainJwk(rogue) } }),
  ),
  attack(
    'key binding 301 seconds old',
    { row: 3, refused: 'kb_iat_out_of_window', libraries: BINDING },
    bound({ payload: { iat: NOW - 301 } }),
  ),
  attack(
    'key binding from next year',
    { row: 3, refused: 'kb_iat_out_of_window', libraries: BINDING },
    bound({ payload: { iat: NOW + YEAR } }),
  ),
  attack(
    'key binding without a time',
    { row: 3, refused: 'kb_iat_out_of_window', libraries: BINDING },
    bound({ payload: { iat: null } }),
  ),
  attack(
    'key binding past its own exp',
    { row: 3, refused: 'kb_iat_out_of_window', libraries: BINDING },
    bound({ payload: { exp: NOW - 61 } }),
  ),
  attack(
    'key binding without a nonce',
    { row: 3, refused: 'kb_nonce_mismatch', libraries: BINDING },
    bound({ payload: { nonce: null } }),
  ),
  attack(
    'key binding for several audiences',
    { row: 3, refused: 'kb_aud_mismatch', libraries: BINDING },
    ({ request }) => forgedFor(request, {}, { payload: { aud: [request.clientId ?? '', 'x509_hash:evil'] } }),
  ),
  attack(
    'key binding to the response_uri',
    { row: 3, refused: 'kb_aud_mismatch', libraries: BINDING },
    ({ request, responseUri }) => forgedFor(request, {}, { payload: { aud: responseUri } }),
  ),
  attack(
    'a disclosure added after binding',
    { row: 3, refused: 'kb_sd_hash_mismatch', libraries: BINDING },
    async (scene) => {
      const bare = await forge({ disclosures: [ROLE] })
      const whole = await bindTo(scene.request, bare)
      return `${bare}${REGION}~${whole.slice(bare.length)}`
    },
  ),
  attack(
    'a disclosure taken away after binding',
    { row: 3, refused: 'kb_sd_hash_mismatch', libraries: BINDING },
    async (scene) => {
      const whole = await forgedFor(scene.request)
      return whole.replace(`${REGION}~`, '')
    },
  ),
  attack(
    'sd_hash of another credential',
    { row: 3, refused: 'kb_sd_hash_mismatch', libraries: BINDING },
    bound({ payload: { sd_hash: hashOf('other') } }),
  ),
]

const ROGUE_ISSUER: readonly AnswerAttack[] = [
  attack(
    'signed by a key in the header of the credential',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: rogue, header: { jwk: plainJwk(rogue) } }),
  ),
  attack(
    'signed by a key behind jku',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: rogue, header: { jku: 'https://evil.example/jwks', kid: rogue.kid } }),
  ),
  attack(
    'signed by a key behind x5u',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: rogue, header: { x5u: 'https://evil.example/cert.pem' } }),
  ),
  attack(
    'signed by a DID of its own',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: rogue, header: { kid: `did:jwk:${encodeJson(plainJwk(rogue))}#0` } }),
  ),
  attack(
    'a self-signed certificate',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    async ({ request }) => forgedFor(request, { issuer: await selfSigned() }),
  ),
  attack(
    'a certificate of another authority of the same name',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: foreign }),
  ),
  attack(
    'a certificate of a neighbour under the same authority',
    { row: 5, refused: 'issuer_untrusted', libraries: [] },
    issued({ issuer: neighbour }),
  ),
  attack(
    "the issuer's chain over somebody else's signature",
    { row: 5, refused: 'issuer_signature_invalid', libraries: CREDENTIAL },
    issued({ issuer: { ...rogue, x5c: signers.issuer.x5c ?? [] } }),
  ),
  attack(
    'a valid credential of another type',
    { row: 5, refused: 'vct_mismatch', libraries: [...CREDENTIAL, DCQL] },
    issued({ payload: { vct: `${ISSUER}/types/badge/v1` } }),
  ),
  attack(
    'a type that differs in case',
    { row: 5, refused: 'vct_mismatch', libraries: [...CREDENTIAL, DCQL] },
    issued({ payload: { vct: VCT.toUpperCase() } }),
  ),
]

const CONFUSION: readonly AnswerAttack[] = [
  attack('credential with alg none', { row: 6, refused: 'issuer_alg_rejected' }, async ({ request }) => {
    const [jwt = '', ...rest] = (await forge({ header: { alg: 'none' } })).split('~')
    return bindTo(request, [`${jwt.split('.').slice(0, 2).join('.')}.AA`, ...rest].join('~'))
  }),
  attack(
    'credential with a MAC over the public key',
    { row: 6, refused: 'issuer_alg_rejected' },
    ({ request }) => {
      const payload = {
        iss: ISSUER,
        vct: VCT,
        cnf: { jwk: plainJwk(holder) },
        _sd: [ROLE, REGION].map(hashOf),
      }
      const jwt = macWith({ alg: 'HS256', typ: 'dc+sd-jwt' }, payload, plainJwk(signers.issuer))
      return bindTo(request, `${jwt}~${ROLE}~${REGION}~`)
    },
  ),
  attack(
    'credential with alg ES256K',
    { row: 6, refused: 'issuer_alg_rejected' },
    issued({ header: { alg: 'ES256K' } }),
  ),
  attack(
    'credential with an unknown crit',
    { row: 6, refused: 'credential_malformed' },
    issued({ header: { crit: ['exp'] } }),
  ),
  attack(
    'credential with b64 false',
    { row: 6, refused: 'credential_malformed' },
    issued({ header: { b64: false, crit: ['b64'] } }),
  ),
  attack(
    'an access token for a credential',
    { row: 6, refused: 'typ_rejected' },
    issued({ header: { typ: 'at+jwt' } }),
  ),
  attack(
    'a KB-JWT for a credential',
    { row: 6, refused: 'typ_rejected' },
    issued({ header: { typ: 'kb+jwt' } }),
  ),
  attack(
    'key binding of type JWT',
    { row: 6, refused: 'kb_typ', libraries: BINDING },
    bound({ header: { typ: 'JWT' } }),
  ),
  attack(
    'a DPoP proof for key binding',
    { row: 6, refused: 'kb_typ', libraries: BINDING },
    async ({ responseUri }) =>
      (await forge()) +
      (await createDpopProof({ method: 'POST', url: responseUri }, holder, { now: NOW, random })),
  ),
  attack(
    'an access token for key binding',
    { row: 6, refused: 'kb_typ', libraries: BINDING },
    async () => (await forge()) + (await holdToken()).token,
  ),
  attack('key binding with alg none', { row: 6, refused: 'kb_alg', libraries: BINDING }, async (scene) => {
    const presented = await forge()
    return `${presented}${encodeJson({ alg: 'none', typ: 'kb+jwt' })}.${encodeJson(keyBindingOf(scene, presented))}.AA`
  }),
  attack(
    'key binding with a MAC over the bound key',
    { row: 6, refused: 'kb_alg', libraries: BINDING },
    async (scene) => {
      const presented = await forge()
      return (
        presented + macWith({ alg: 'HS256', typ: 'kb+jwt' }, keyBindingOf(scene, presented), plainJwk(holder))
      )
    },
  ),
  attack(
    'key binding with an unknown crit',
    { row: 6, refused: 'kb_malformed', libraries: BINDING },
    bound({ header: { crit: ['exp'] } }),
  ),
]

const array = disclosure('salt-of-16-bytes-0', 'x')
const admin = disclosure('salt-of-16-bytes-1', 'role', 'Admin')
const member = (name: JsonValue, value: JsonValue = true) => disclosure('salt-of-16-bytes-2', name, value)
const nested = (levels: number): JsonValue => (levels === 0 ? 'x' : [nested(levels - 1)])

const STRUCTURE: readonly AnswerAttack[] = [
  attack(
    'a disclosure that nobody signed',
    { row: 7, refused: 'disclosure_unreferenced' },
    issued({ disclosures: [ROLE, REGION, member('admin')] }),
  ),
  attack(
    'a disclosure sent twice',
    { row: 7, refused: 'disclosure_unreferenced' },
    issued({ disclosures: [ROLE, REGION, ROLE] }),
  ),
  attack(
    'a disclosure that covers a signed claim',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([admin], { role: 'Clerk', _sd: [admin, REGION].map(hashOf) }),
  ),
  attack('two disclosures of one claim', { row: 7, refused: 'disclosure_invalid' }, disclosed([admin])),
  attack(
    'a digest that occurs twice',
    { row: 7, refused: 'digest_duplicate' },
    issued({ payload: { _sd: [ROLE, REGION, ROLE].map(hashOf) } }),
  ),
  attack(
    'a digest twice on two levels',
    { row: 7, refused: 'digest_duplicate' },
    issued({ payload: { deep: { _sd: [hashOf(ROLE)] } } }),
  ),
  attack(
    'a disclosure named _sd',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([member('_sd', [hashOf('x')])]),
  ),
  attack(
    'a disclosure named ...',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([member('...', 'x')]),
  ),
  attack(
    'an array element where a claim belongs',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([array]),
  ),
  attack(
    'a claim where an array element belongs',
    { row: 7, refused: 'disclosure_invalid' },
    issued({ disclosures: [ROLE, REGION, member('y')], payload: { list: [{ '...': hashOf(member('y')) }] } }),
  ),
  attack(
    'a disclosure whose name is a number',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([member(7)]),
  ),
  attack('the bound key in a disclosure', { row: 7, refused: 'kb_missing' }, ({ request }) => {
    const cnf = member('cnf', { jwk: plainJwk(rogue) })
    const payload = { cnf: null, _sd: [ROLE, REGION, cnf].map(hashOf) }
    return forgedFor(request, { payload, disclosures: [ROLE, REGION, cnf] }, { signer: rogue })
  }),
  attack(
    'the expiry in a disclosure',
    { row: 7, refused: 'protected_claim_disclosed' },
    disclosed([member('exp', NOW + YEAR)], { exp: null }),
  ),
  attack(
    'the status in a disclosure',
    { row: 7, refused: 'protected_claim_disclosed' },
    disclosed([member('status', {})]),
  ),
  attack(
    'the hash algorithm below the top',
    { row: 7, refused: 'sd_alg_rejected' },
    issued({ payload: { deep: { _sd_alg: 'sha-256' } } }),
  ),
  attack(
    'an unknown hash algorithm',
    { row: 7, refused: 'sd_alg_rejected' },
    issued({ payload: { _sd_alg: 'md5' } }),
  ),
  attack(
    'a private key in cnf',
    { row: 7, refused: 'credential_malformed' },
    issued({ payload: { cnf: { jwk: { ...plainJwk(holder), d: 'AAAA' } } } }),
  ),
  attack(
    'a member twice in a disclosure',
    { row: 7, refused: 'disclosure_invalid' },
    disclosed([encodeBase64url(utf8('["salt-of-16-bytes-3","deep",{"a":1,"a":2}]'))]),
  ),
  attack('a padded disclosure', { row: 7, refused: 'sdjwt_malformed' }, disclosed([`${member('x')}=`])),
  attack(
    '257 disclosures',
    { row: 7, refused: 'limits' },
    disclosed(Array.from({ length: 257 }, (_, nth) => disclosure('salt', `c${nth}`, nth))),
  ),
  attack(
    'a claim 40 levels deep',
    { row: 7, refused: 'sdjwt_malformed' },
    issued({ payload: { deep: nested(40) } }),
  ),
]

const SWAP = { type: 'https://api.example/td/approve/v1', credential_ids: ['role_cred'], amount: '100.00' }
const agreed = { transactionData: [SWAP] }

const CHANGED: readonly AnswerAttack[] = [
  attack(
    'approval of another amount',
    { row: 8, refused: 'td_hash_mismatch', libraries: [], transaction: agreed },
    ({ request }) => {
      const other = encodeJson({ ...SWAP, amount: '1.00' })
      return forgedFor(
        request,
        {},
        { payload: { transaction_data_hashes: [hashTransactionData(other, 'sha-256')] } },
      )
    },
  ),
  {
    name: 'approval by another credential than the one that was named',
    row: 8,
    refused: 'td_hash_mismatch',
    libraries: [],
    transaction: {
      ...agreed,
      query: { credentials: [QUERY.credentials[0] ?? {}, { ...QUERY.credentials[0], id: 'second' }] },
    },
    forge: async (scene) => {
      const approval = { transaction_data_hashes: (scene.request.transactionData ?? []).map(hashOf) }
      const second = await forgedFor(scene.request, {}, { payload: approval })
      return postToken(scene, { ...only(await forgedFor(scene.request)), second: [second] })
    },
  },
  attack(
    'no approval at all',
    { row: 8, refused: 'td_missing', libraries: [], transaction: agreed },
    ({ request }) => forgedFor(request),
  ),
  attack(
    'the hash of the data as it reads, not as it was sent',
    { row: 8, refused: 'td_hash_mismatch', libraries: [], transaction: agreed },
    ({ request }) =>
      forgedFor(request, {}, { payload: { transaction_data_hashes: [hashOf(JSON.stringify(SWAP))] } }),
  ),
]

const claimsQuery = (...claims: readonly JsonObject[]) => ({
  query: { credentials: [{ ...QUERY.credentials[0], claims }] },
})
const managers = claimsQuery({ path: ['role'], values: ['Manager'] }, { path: ['region'] })
const visible = (role: JsonValue) =>
  issued({ payload: { role, _sd: [hashOf(REGION)] }, disclosures: [REGION] })

const FILTERED: readonly AnswerAttack[] = [
  attack(
    'a claim left out',
    { row: 12, refused: 'claim_missing', libraries: [DCQL] },
    issued({ disclosures: [ROLE] }),
  ),
  attack(
    'another value than asked for',
    { row: 12, refused: 'value_mismatch', libraries: [DCQL], transaction: managers },
    visible('Intern'),
  ),
  attack(
    'the value asked for, inside an array',
    { row: 12, refused: 'value_mismatch', libraries: [DCQL], transaction: managers },
    visible(['Manager']),
  ),
  attack(
    'an inherited name for a claim',
    {
      row: 12,
      refused: 'claim_missing',
      libraries: [DCQL],
      transaction: claimsQuery({ path: ['constructor'] }),
    },
    issued({}),
  ),
  attack(
    'all elements of an empty array',
    {
      row: 12,
      refused: 'claim_missing',
      libraries: [DCQL],
      transaction: claimsQuery({ path: ['roles', null] }),
    },
    issued({ payload: { roles: [] } }),
  ),
  {
    name: 'an answer to a query that was not asked',
    row: 12,
    refused: 'unknown_credential_id',
    libraries: [OPENID4VP],
    forge: async (scene) =>
      postToken(scene, { ...only(await forgedFor(scene.request)), other: [await forgedFor(scene.request)] }),
  },
  {
    name: 'two presentations where one was asked for',
    row: 12,
    refused: 'too_many_presentations',
    libraries: [OPENID4VP],
    forge: async (scene) =>
      postToken(scene, { role_cred: [await forgedFor(scene.request), await forgedFor(scene.request)] }),
  },
  {
    name: 'no presentation for a query that was asked',
    row: 12,
    refused: 'query_unsatisfied',
    libraries: [OPENID4VP],
    forge: async (scene) => postToken(scene, {}),
  },
  {
    name: 'a bare text where a list belongs',
    row: 12,
    refused: 'vp_token_malformed',
    libraries: [OPENID4VP],
    forge: async (scene) => postToken(scene, { role_cred: await forgedFor(scene.request) }),
  },
]

const MIXED_UP: readonly AnswerAttack[] = [
  {
    name: 'an answer under another state',
    row: 4,
    refused: 'state_mismatch',
    libraries: [OPENID4VP],
    forge: async (scene) => postToken(scene, only(await forgedFor(scene.request)), { state: 'A'.repeat(43) }),
  },
  {
    name: 'an answer without a state',
    row: 4,
    refused: 'state_mismatch',
    libraries: [OPENID4VP],
    forge: async (scene) =>
      postForm(scene, { vp_token: JSON.stringify(only(await forgedFor(scene.request))) }),
  },
  {
    name: 'in the clear where encryption was asked for',
    row: 4,
    refused: 'encryption_required',
    libraries: [OPENID4VP],
    transaction: { responseMode: 'direct_post.jwt' },
    forge: async (scene) => postToken(scene, only(await forgedFor(scene.request))),
  },
  {
    name: 'signed by an unknown key where encryption was asked for',
    row: 4,
    refused: 'jwe_header_rejected',
    libraries: [OPENID4VP],
    transaction: { responseMode: 'direct_post.jwt' },
    forge: async (scene) => {
      const { request } = scene
      const parameters = { vp_token: only(await forgedFor(request)), state: request.state ?? '' }
      const times = { iss: 'https://wallet.example', aud: request.clientId ?? '', exp: NOW + 100 * YEAR }
      const header = { alg: 'ES256', typ: 'JWT', kid: rogue.kid, jwk: plainJwk(rogue) }
      return postForm(scene, { response: await signRaw(header, { ...times, ...parameters }, rogue) })
    },
  },
  {
    name: 'encrypted for another transaction',
    row: 4,
    refused: 'decryption_failed',
    libraries: [],
    transaction: { responseMode: 'direct_post.jwt' },
    forge: async (scene) => {
      const { world, request } = scene
      const { requestUrl } = await world.verifier.startTransaction({ query: QUERY })
      const other = await fetchRequest(world, requestUrl)
      const wallet = await createWallet()
      const vpToken = await present(wallet, request, { audience: request.clientId ?? '' })
      const body = await directPostBody({ ...other.request, state: request.state }, { vpToken })
      return postForm(scene, Object.fromEntries(new URLSearchParams(body)))
    },
  },
]

const status = { status_list: { idx: 7, uri: STATUS_URI } }
const AT_AN_END: readonly AnswerAttack[] = [
  attack(
    'an expired credential',
    { row: 22, refused: 'credential_expired' },
    issued({ payload: { exp: NOW - 61 } }),
  ),
  attack(
    'a credential that is not valid yet',
    { row: 22, refused: 'credential_not_yet_valid' },
    issued({ payload: { nbf: NOW + 61 } }),
  ),
  attack(
    'a revoked credential',
    { row: 22, refused: 'status_invalid', libraries: [] },
    ({ world, request }) => {
      world.revoke()
      return forgedFor(request, { payload: { status } })
    },
  ),
  attack(
    'a status the list does not have',
    { row: 22, refused: 'status_unavailable', libraries: [] },
    issued({ payload: { status: { status_list: { idx: 1024, uri: STATUS_URI } } } }),
  ),
  attack(
    'a status list on another host, signed there',
    { row: 22, refused: 'status_unavailable', libraries: [] },
    issued({ payload: { status: { status_list: { idx: 7, uri: 'https://evil.example/status/1' } } } }),
  ),
]

/** What an honest wallet posts: whoever refuses this says nothing by refusing an attack. */
export const HONEST_ANSWER = attack(
  'an honest answer',
  { row: 0, refused: 'response_malformed', libraries: [...BINDING, OPENID4VP, DCQL] },
  ({ request }) => forgedFor(request),
)

/** Every attack on an answer. */
export const ANSWER_ATTACKS: readonly AnswerAttack[] = [
  ...REPLAY,
  ...MIXED_UP,
  ...ROGUE_ISSUER,
  ...CONFUSION,
  ...STRUCTURE,
  ...CHANGED,
  ...FILTERED,
  ...AT_AN_END,
]
