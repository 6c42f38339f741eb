import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generateDecryptionKey,
  generatePrivateJwk,
  type Signer,
} from '@attache/keys'
import {
  type AuthorizationRequest,
  boundResponseUri,
  type ClientTrust,
  chooseResponseEncryption,
  type DcqlCredential,
  directPostBody,
  encodeClientMetadata,
  encodeTransactionData,
  matchCredential,
  matchDcqlQuery,
  parseAuthorizationRequest,
  parseClientIdentifier,
  parseClientMetadata,
  parseDcqlQuery,
  parseRequestUrl,
  parseTransactionData,
  requestUriFetch,
  STATIC_AUDIENCE,
  verifyRequestObject,
  x509HashClientIdentifier,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { ca, certified, freshKey, QUERY, signers, VCT } from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

const HASH = x509HashClientIdentifier(signers.api.x5c?.[0] ?? '')
const RESPONSE = 'https://api.example/response/1'
const trust: ClientTrust = { anchors: createAnchors('verifiers', [ca.pem]) }
const foreignCa = await createCertificateAuthority(
  {
    commonName: 'Foreign',
    privateJwk: generatePrivateJwk('ES256'),
    notBefore: NOW - 1000,
    notAfter: NOW + 1000,
  },
  { random: createSeededRandom('foreign') },
)

const encode = (value: JsonValue) => encodeBase64url(utf8(JSON.stringify(value)))

/** Signs exactly what is given. */
async function sign(header: JsonObject, payload: JsonObject, signer: Signer): Promise<string> {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${encodeBase64url(await signer.sign(utf8(input)))}`
}

interface Bent {
  readonly header?: JsonObject
  /** `null` takes a member out. */
  readonly payload?: JsonObject
  readonly signer?: Signer
}

/** A request object that is sound but for what is bent. */
function requestObject({ header, payload, signer = signers.api }: Bent = {}): Promise<string> {
  const sound: JsonObject = {
    aud: STATIC_AUDIENCE,
    iat: NOW,
    exp: NOW + 300,
    client_id: HASH,
    response_type: 'vp_token',
    response_mode: 'direct_post',
    response_uri: RESPONSE,
    nonce: 'n-1',
    state: 's-1',
    dcql_query: QUERY,
    ...payload,
  }
  const members = Object.entries(sound).filter(([, value]) => value !== null)
  const chain: JsonObject = signer.x5c === undefined ? {} : { x5c: signer.x5c }
  const whole = { alg: signer.alg, typ: 'oauth-authz-req+jwt', ...chain, ...header }
  const present = Object.entries(whole).filter(([, value]) => value !== null)
  return sign(Object.fromEntries(present), Object.fromEntries(members), signer)
}

const EXPECTED = {
  clientId: HASH,
  audiences: [STATIC_AUDIENCE],
  algorithms: ['ES256' as const],
  trust,
  now: NOW,
}

/** `accepted`, `stop x` or `E x`. */
async function outcome(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'accepted'
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return `${error.name === 'ProtocolError' ? 'E' : 'stop'} ${String(error.code)}`
  }
}

const verdict = async (
  bent: Bent = {},
  expected: Partial<Parameters<typeof verifyRequestObject>[1]> = {},
) => {
  const text = await requestObject(bent)
  return outcome(() => verifyRequestObject(text, { ...EXPECTED, ...expected }))
}

describe('what a wallet is handed', () => {
  const handed = (parameters: Readonly<Record<string, string>>, base = 'openid4vp://') =>
    outcome(() => parseRequestUrl(`${base}?${new URLSearchParams(parameters)}`))

  test('is one set of parameters, each once, whatever the scheme [VP-W-REQ-01]', async () => {
    const parameters = { client_id: 'a', request_uri: 'https://api.example/r' }
    const read = (base: string) => parseRequestUrl(`${base}?${new URLSearchParams(parameters)}`)
    expect(read('haip-vp://')).toEqual(read('openid4vp://'))
    expect(read('https://wallet.example/authorize')).toEqual(read('openid4vp://'))
    expect(await outcome(() => parseRequestUrl('openid4vp://?client_id=a&client_id=b'))).toBe(
      'stop malformed',
    )
  })

  test('has a client_id and one way to the request [VP-W-REQ-02]', async () => {
    expect(await handed({ client_id: 'a', request: 'x', request_uri: 'https://b.example' })).toBe(
      'stop malformed',
    )
    expect(await handed({ request_uri: 'https://b.example' })).toBe('stop malformed')
    const url = `openid4vp://?${new URLSearchParams({ client_id: 'a', request_uri: 'https://b.example', client_metadata: '{}' })}`
    expect(parseRequestUrl(url)).toMatchObject({ kind: 'reference', outer: { client_metadata: {} } })
    expect(parseRequestUrl('openid4vp://?client_id=a&nonce=n').kind).toBe('parameters')
  })

  test('names get or post, only beside a request_uri [VP-W-REQ-03]', async () => {
    for (const request_uri_method of ['POST', 'put']) {
      const parameters = { client_id: 'a', request_uri: 'https://b.example', request_uri_method }
      expect(await handed(parameters)).toBe('E invalid_request_uri_method')
    }
    expect(await handed({ client_id: 'a', request_uri_method: 'post' })).toBe('E invalid_request_uri_method')
    expect(
      await handed({ client_id: 'a', request_uri: 'https://b.example', request_uri_method: 'post' }),
    ).toBe('accepted')
  })

  test('may have parameters nobody knows, within limits [VP-W-REQ-04] [VP-W-REQ-05]', async () => {
    expect(await verdict({ payload: { foo: 1 } })).toBe('accepted')
    expect(await verdict({ payload: { foo: 'x'.repeat(70_000) } })).toBe('stop limits')
    expect(await handed({ client_id: 'a', foo: 'x'.repeat(70_000) })).toBe('stop limits')
    let deep: JsonValue = 1
    for (let at = 0; at < 17; at += 1) deep = { deep }
    expect(await verdict({ payload: { foo: deep } })).toBe('stop malformed')
    const many = {
      credentials: Array.from({ length: 33 }, (_, at) => ({ ...QUERY.credentials[0], id: `q${at}` })),
    }
    expect(await verdict({ payload: { dcql_query: many } })).toBe('E invalid_request')
  })

  test('is fetched by a plain GET or a form POST [VP-W-URI-01] [VP-W-URI-02]', () => {
    expect(requestUriFetch()).toEqual({
      method: 'GET',
      headers: { accept: 'application/oauth-authz-req+jwt' },
    })
    const post = requestUriFetch({ walletNonce: 'n', walletMetadata: { formats: ['dc+sd-jwt'] } })
    expect(post).toMatchObject({
      method: 'POST',
      headers: {
        accept: 'application/oauth-authz-req+jwt',
        'content-type': 'application/x-www-form-urlencoded',
      },
    })
    const body = new URLSearchParams(post.body)
    expect([...body.keys()]).toEqual(['wallet_nonce', 'wallet_metadata'])
    expect(JSON.parse(body.get('wallet_metadata') ?? '')).toEqual({
      vp_formats_supported: { 'dc+sd-jwt': {} },
    })
  })

  test('repeats the wallet_nonce [VP-W-URI-03]', async () => {
    expect(await verdict({ payload: { wallet_nonce: 'w-1' } }, { walletNonce: 'w-1' })).toBe('accepted')
    expect(await verdict({}, { walletNonce: 'w-1' })).toBe('stop wallet_nonce')
    expect(await verdict({ payload: { wallet_nonce: 'w-2' } }, { walletNonce: 'w-1' })).toBe(
      'stop wallet_nonce',
    )
  })
})

describe('a request object', () => {
  test('has its type [VP-W-OBJ-01]', async () => {
    expect(await verdict({ header: { typ: 'JWT' } })).toBe('stop typ')
    expect(await verdict({ header: { typ: null } })).toBe('stop typ')
    expect(await verdict()).toBe('accepted')
  })

  test('is signed with an accepted algorithm by the key of its prefix [VP-W-OBJ-02]', async () => {
    for (const alg of ['none', 'HS256', 'ES384'])
      expect(await verdict({ header: { alg } })).toBe('stop signature')
    const sound = await requestObject()
    const broken = `${sound.slice(0, -6)}AAAAAA`
    expect(await outcome(() => verifyRequestObject(broken, EXPECTED))).toBe('stop signature')
    const keep = { header: { x5c: signers.api.x5c ?? [] } }
    expect(await verdict({ ...keep, signer: freshKey() })).toBe('stop signature')
  })

  test('names the same client inside and outside [VP-W-OBJ-05]', async () => {
    const stripped = HASH.slice('x509_hash:'.length)
    expect(await verdict({}, { clientId: stripped })).toBe('stop client_id_mismatch')
    expect(await verdict({ payload: { client_id: 'x509_san_dns:api.example' } })).toBe(
      'stop client_id_mismatch',
    )
  })

  test('may carry any iss; only what is inside counts [VP-W-OBJ-06] [VP-W-OBJ-04]', async () => {
    expect(await verdict({ payload: { iss: 'https://anything.example' } })).toBe('accepted')
    const { request } = await verifyRequestObject(await requestObject(), EXPECTED)
    expect(request.nonce).toBe('n-1')
  })

  test('is made for this wallet [VP-W-OBJ-07]', async () => {
    expect(await verdict({ payload: { aud: 'https://other.example' } })).toBe('stop aud')
    expect(await verdict({ payload: { aud: null } })).toBe('stop aud')
    const named = { audiences: [STATIC_AUDIENCE, 'https://wallet.example'] }
    expect(await verdict({ payload: { aud: 'https://wallet.example' } }, named)).toBe('accepted')
    expect(await verdict({}, named)).toBe('accepted')
  })

  test('is within its time; without exp, young [VP-W-OBJ-08]', async () => {
    expect(await verdict({ payload: { exp: NOW - 61 } })).toBe('stop expired')
    expect(await verdict({ payload: { nbf: NOW + 61 } })).toBe('stop expired')
    expect(await verdict({ payload: { exp: null, iat: NOW - 601 } })).toBe('stop expired')
    expect(await verdict({ payload: { exp: null, iat: NOW - 599 } })).toBe('accepted')
  })

  test('refers to no other request [VP-W-OBJ-09]', async () => {
    for (const name of ['request', 'request_uri']) {
      expect(await verdict({ payload: { [name]: 'https://x.example' } })).toBe('stop malformed')
    }
  })
})

describe('the parameters of a request', () => {
  const asked = (payload: JsonObject) => verdict({ payload })

  test('ask for a vp_token [VP-W-PAR-01]', async () => {
    expect(await asked({ response_type: 'code' })).toBe('E unsupported_response_type')
  })

  test('state a response mode that is known [VP-W-PAR-02]', async () => {
    for (const response_mode of [null, 'dc_api', 'query', 7]) {
      expect(await asked({ response_mode })).toBe('E invalid_request')
    }
  })

  test('have a nonce of plain characters [VP-W-PAR-03]', async () => {
    for (const nonce of [null, 'a b', '', 7]) expect(await asked({ nonce })).toBe('E invalid_request')
  })

  test('have a state where holder binding is waived [VP-W-PAR-04]', async () => {
    const dcql_query = {
      credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }],
    }
    expect(await asked({ dcql_query, state: null })).toBe('E invalid_request')
    expect(await asked({ dcql_query })).toBe('accepted')
  })

  test('have a query or a scope [VP-W-PAR-05]', async () => {
    expect(await asked({ scope: 'x' })).toBe('E invalid_request')
    expect(await asked({ dcql_query: null })).toBe('E invalid_request')
    expect(await asked({ dcql_query: null, scope: 'x' })).toBe('accepted')
  })

  test('have no redirect_uri beside direct_post [VP-W-PAR-06]', async () => {
    expect(await asked({ redirect_uri: 'https://api.example/cb' })).toBe('E invalid_request')
  })

  test('describe the client with three members only [VP-W-PAR-09]', () => {
    const key = generateDecryptionKey()
    const metadata = encodeClientMetadata({
      encryptionKeys: [key.publicJwk],
      encryptedResponseEncs: ['A256GCM'],
    })
    expect(parseClientMetadata({ ...metadata, client_name: 'Evil', redirect_uris: ['x'] })).toEqual(
      parseClientMetadata(metadata),
    )
  })

  test('bring no key that verifies their own signature [VP-W-PAR-13]', async () => {
    const own = freshKey()
    const jwks = { keys: [JSON.parse(JSON.stringify(own.publicJwk))] }
    const bent = {
      signer: own,
      header: { x5c: signers.api.x5c ?? [] },
      payload: { client_metadata: { jwks } },
    }
    expect(await verdict(bent)).toBe('stop signature')
  })
})

describe('where an answer may go', () => {
  const goes = async (bent: Bent, policy: Parameters<typeof boundResponseUri>[2] = {}, clientId = HASH) => {
    const payload = { client_id: clientId, ...bent.payload }
    const { request, client } = await verifyRequestObject(await requestObject({ ...bent, payload }), {
      ...EXPECTED,
      clientId,
    })
    return outcome(() => boundResponseUri(request, client, policy))
  }

  test('is stated, or follows from a redirect_uri client [VP-W-PAR-07] [VP-W-CID-05]', async () => {
    expect(await goes({ payload: { response_uri: null } })).toBe('stop response_uri')
    const bare = (client: string, responseUri?: string): AuthorizationRequest => ({
      clientId: client,
      responseMode: 'direct_post',
      nonce: 'n',
      dcqlQuery: parseDcqlQuery(QUERY),
      responseUri,
    })
    expect(boundResponseUri(bare(`redirect_uri:${RESPONSE}`), undefined)).toBe(RESPONSE)
    const other = bare(`redirect_uri:${RESPONSE}`, 'https://api.example/response/2')
    expect(await outcome(() => boundResponseUri(other, undefined))).toBe('stop response_uri')
    const signed = { payload: { client_id: `redirect_uri:${RESPONSE}` } }
    expect(await verdict(signed, { clientId: `redirect_uri:${RESPONSE}` })).toBe('stop invalid_request')
  })

  test('is https and registered to the letter, where it is registered [VP-W-PAR-08]', async () => {
    const registered = [RESPONSE]
    expect(await goes({}, { registered })).toBe('accepted')
    for (const response_uri of [
      `${RESPONSE}/more`,
      `${RESPONSE}?x=1`,
      'https://api.example:444/response/1',
      'https://api.example/response/../response/1',
      'http://api.example/response/1',
    ]) {
      expect(await goes({ payload: { response_uri } }, { registered })).toBe('stop response_uri')
    }
  })

  test('lies on the host that the certificate names [VP-W-CID-06] [VP-W-CID-09]', async () => {
    const elsewhere = { payload: { response_uri: 'https://elsewhere.example/r' } }
    expect(await goes(elsewhere)).toBe('stop response_uri')
    expect(await goes(elsewhere, { hostLink: 'off' })).toBe('accepted')
    expect(await goes({}, {}, 'x509_san_dns:api.example')).toBe('accepted')
    expect(await goes(elsewhere, {}, 'x509_san_dns:api.example')).toBe('stop response_uri')
    const name = 'x509_san_dns:other.example'
    expect(await verdict({ payload: { client_id: name } }, { clientId: name })).toBe('stop invalid_request')
    const foreign = await certified('api.example', foreignCa)
    const dns = 'x509_san_dns:api.example'
    expect(await verdict({ signer: foreign, payload: { client_id: dns } }, { clientId: dns })).toBe(
      'stop x5c',
    )
  })
})

describe('who asks', () => {
  test('is named by what stands before the first colon [VP-W-CID-01]', async () => {
    expect(parseClientIdentifier('x509_san_dns:a.example:8443')).toEqual({
      full: 'x509_san_dns:a.example:8443',
      prefix: 'x509_san_dns',
      original: 'a.example:8443',
    })
    const odd = 'x509_san_dns:api.example:8443'
    expect(await verdict({ payload: { client_id: odd } }, { clientId: odd })).toBe('stop invalid_request')
  })

  test('is registered where there is no prefix [VP-W-CID-02] [VP-W-CID-13]', async () => {
    const registered = freshKey()
    const known: ClientTrust = {
      registeredClient: (id) => (id === 'api.example' ? { keys: [registered.publicJwk] } : undefined),
    }
    const by = (client_id: string) =>
      verdict({ signer: registered, payload: { client_id } }, { clientId: client_id, trust: known })
    expect(await by('api.example')).toBe('accepted')
    expect(await by('unknown')).toBe('stop unknown_client')
    expect(await by('x509_san_dns:api.example')).toBe('stop x5c')
  })

  test('has a known prefix, or exactly this registration [VP-W-CID-03] [VP-W-CID-04] [VP-W-CID-12]', async () => {
    for (const id of ['foo:bar', 'origin:https://api.example', 'openid_federation:https://api.example']) {
      expect(await verdict({ payload: { client_id: id } }, { clientId: id })).toBe('stop invalid_request')
    }
    const key = freshKey()
    const known: ClientTrust = {
      registeredClient: (id) => (id === 'foo:bar' ? { keys: [key.publicJwk] } : undefined),
    }
    const bent = { signer: key, payload: { client_id: 'foo:bar' } }
    expect(await verdict(bent, { clientId: 'foo:bar', trust: known })).toBe('accepted')
  })

  test('under x509_hash is the hash of the leaf that signed [VP-W-CID-07] [VP-W-CID-08]', async () => {
    const other = await certified('api.example')
    expect(await verdict({ signer: other })).toBe('stop invalid_request')
    const [leaf = ''] = signers.api.x5c ?? []
    const { digest } = await import('@attache/keys')
    const ofText = `x509_hash:${digest('sha-256', leaf)}`
    expect(await verdict({ payload: { client_id: ofText } }, { clientId: ofText })).toBe(
      'stop invalid_request',
    )
    const root = ca.pem.replace(/-----[A-Z ]+-----|\s/g, '')
    expect(await verdict({ header: { x5c: [leaf, root] } })).toBe('stop x5c')
    const self = createSoftwareSigner(ca.privateJwk)
    const own = {
      signer: self,
      header: { x5c: [root] },
      payload: { client_id: x509HashClientIdentifier(root) },
    }
    expect(await verdict(own, { clientId: x509HashClientIdentifier(root) })).toBe('stop x5c')
    expect(await verdict()).toBe('accepted')
  })

  test('under a DID signs with a key that the DID names [VP-W-CID-10]', async () => {
    const key = freshKey()
    const did = 'decentralized_identifier:did:web:api.example'
    const known: ClientTrust = {
      didKey: async (url) => (url === 'did:web:api.example#1' ? key.publicJwk : undefined),
    }
    const by = (kid: string | null) =>
      verdict({ signer: key, header: { kid }, payload: { client_id: did } }, { clientId: did, trust: known })
    expect(await by('did:web:api.example#1')).toBe('accepted')
    expect(await by(null)).toBe('stop signature')
    expect(await by('did:web:evil.example#1')).toBe('stop signature')
    expect(await by('did:web:api.example#2')).toBe('stop signature')
  })
})

const held = (override: Partial<DcqlCredential> = {}): DcqlCredential => ({
  id: 'c1',
  format: 'dc+sd-jwt',
  vct: VCT,
  claims: {
    role: 'Manager',
    region: 'EU',
    level: 1,
    roles: ['Clerk', 'Manager'],
    address: { region: 'EU', city: 'Bonn' },
  },
  holderBound: true,
  ...override,
})
const [SOUND] = QUERY.credentials
const query = (credential: JsonObject = {}, rest: JsonObject = {}) =>
  parseDcqlQuery({ credentials: [{ ...SOUND, ...credential }], ...rest })
const satisfied = (credential: JsonObject, credentials: readonly DcqlCredential[] = [held()]) =>
  matchDcqlQuery(query(credential), credentials).satisfied
const paths = (credential: JsonObject, credentials: readonly DcqlCredential[] = [held()]) => {
  const match = matchDcqlQuery(query(credential), credentials)
  return match.satisfied ? match.selections.map((selection) => selection.paths) : 'none'
}

describe('what answers a query', () => {
  test('is found though members, formats or authorities are foreign [VP-W-QRY-01] [VP-W-QRY-02] [VP-W-QRY-05]', () => {
    expect(satisfied({ foo: 1, claims: [{ path: ['role'], bar: 2 }] })).toBe(true)
    const mixed = parseDcqlQuery({
      credentials: [SOUND ?? {}, { id: 'mdoc', format: 'mso_mdoc', meta: { doctype_value: 'x' } }],
      credential_sets: [{ options: [['role_cred']] }, { options: [['mdoc']], required: false }],
    })
    expect(matchDcqlQuery(mixed, [held()])).toMatchObject({
      satisfied: true,
      selections: [{ queryId: 'role_cred' }],
    })
    expect(paths({ claims: [{ path: ['role'] }, { path: ['role'] }] })).toEqual([[['role']]])
  })

  test('needs vct_values [VP-W-QRY-04]', async () => {
    expect(await outcome(() => query({ meta: {} }))).toBe('E invalid_request')
  })

  test('is of the type asked for, case included [VP-W-SEL-01]', () => {
    expect(satisfied({ meta: { vct_values: [VCT.replace('/v1', '/v2')] } })).toBe(false)
    expect(satisfied({ meta: { vct_values: [VCT.toUpperCase()] } })).toBe(false)
    expect(satisfied({ meta: { vct_values: ['x', VCT] } })).toBe(true)
  })

  test('can be bound where binding is asked for [VP-W-SEL-02]', () => {
    expect(satisfied({}, [held({ holderBound: false })])).toBe(false)
    expect(satisfied({ require_cryptographic_holder_binding: false }, [held({ holderBound: false })])).toBe(
      true,
    )
  })

  test('comes from one of the authorities [VP-W-SEL-03]', () => {
    const asking = (...trusted_authorities: readonly JsonObject[]) => ({ trusted_authorities })
    const known = [held({ authorityKeyIds: ['AKI1', 'AKI2'] })]
    expect(satisfied(asking({ type: 'aki', values: ['AKI2', 'x'] }), known)).toBe(true)
    expect(satisfied(asking({ type: 'aki', values: ['x'] }), known)).toBe(false)
    expect(satisfied(asking({ type: 'other', values: ['AKI1'] }), known)).toBe(false)
    expect(
      satisfied(asking({ type: 'other', values: ['x'] }, { type: 'aki', values: ['AKI1'] }), known),
    ).toBe(true)
  })

  test('is complete or nothing [VP-W-SEL-05] [VP-W-SEL-07] [VP-W-SEL-04]', () => {
    const two = parseDcqlQuery({
      credentials: [SOUND ?? {}, { ...SOUND, id: 'b', meta: { vct_values: ['other'] } }],
    })
    expect(matchDcqlQuery(two, [held()])).toEqual({ satisfied: false, unanswered: ['b'] })
    expect(matchDcqlQuery(two, [held(), held({ id: 'c2', vct: 'other' })])).toMatchObject({ satisfied: true })
  })

  test('satisfies every required set with its first complete option [VP-W-SEL-06] [VP-W-SEL-08]', () => {
    const one = (id: string) => ({ ...SOUND, id, meta: { vct_values: [id] } })
    const sets = (...credential_sets: readonly JsonObject[]) =>
      parseDcqlQuery({ credentials: ['a', 'b', 'c', 'd'].map(one), credential_sets })
    const has = (...ids: readonly string[]) => ids.map((id) => held({ id, vct: id }))
    const chosen = (asked: ReturnType<typeof sets>, credentials: readonly DcqlCredential[]) => {
      const match = matchDcqlQuery(asked, credentials)
      return match.satisfied ? match.selections.map(({ queryId }) => queryId) : 'none'
    }
    const options = { options: [['a'], ['b', 'c']] }
    expect(chosen(sets(options), has('b', 'c', 'd'))).toEqual(['b', 'c'])
    expect(chosen(sets(options), has('a', 'b', 'c'))).toEqual(['a'])
    expect(chosen(sets(options), has('b', 'd'))).toBe('none')
    const optional = { options: [['d']], required: false }
    expect(chosen(sets(options, optional), has('a'))).toEqual(['a'])
    expect(chosen(sets(options, optional), has('a', 'd'))).toEqual(['a', 'd'])
    expect(chosen(sets(optional), has('a'))).toBe('none')
    const least = matchDcqlQuery(sets(options, optional), has('a', 'd'), { optionalSets: 'omit' })
    expect(least).toMatchObject({ satisfied: true, selections: [{ queryId: 'a' }] })
  })

  test('is one credential, the first in order, unless several are asked for [VP-W-SEL-09]', () => {
    const three = ['c1', 'c2', 'c3'].map((id) => held({ id }))
    const ids = (credential: JsonObject, options = {}) => {
      const match = matchDcqlQuery(query(credential), three, options)
      return match.satisfied ? match.selections.map(({ credentialId }) => credentialId) : []
    }
    expect(ids({})).toEqual(['c1'])
    expect(ids({ multiple: true })).toEqual(['c1'])
    expect(ids({ multiple: true }, { mostPerQuery: 2 })).toEqual(['c1', 'c2'])
    expect(ids({}, { mostPerQuery: 2 })).toEqual(['c1'])
  })

  test('discloses nothing without claims, all listed with them [VP-W-CLM-01] [VP-W-CLM-02]', () => {
    const { claims: _claims, ...bare } = SOUND ?? {}
    expect(matchDcqlQuery(parseDcqlQuery({ credentials: [bare] }), [held()])).toMatchObject({
      selections: [{ paths: [] }],
    })
    expect(paths({ claims: [{ path: ['role'] }, { path: ['region'] }] })).toEqual([[['role'], ['region']]])
    expect(paths({ claims: [{ path: ['role'] }, { path: ['missing'] }] })).toBe('none')
  })

  test('takes the first claim set it can, and nothing outside it [VP-W-CLM-03] [VP-W-CLM-04]', () => {
    const claims = [
      { id: 'a', path: ['missing'] },
      { id: 'b', path: ['role'] },
      { id: 'c', path: ['region'] },
    ]
    expect(paths({ claims, claim_sets: [['a', 'b'], ['c'], ['b']] })).toEqual([[['region']]])
    expect(paths({ claims, claim_sets: [['a', 'b'], ['a']] })).toBe('none')
  })

  test('has values of the same type and value [VP-W-CLM-05]', () => {
    for (const values of [['manager'], [1], ['1']])
      expect(paths({ claims: [{ path: ['role'], values }] })).toBe('none')
    expect(paths({ claims: [{ path: ['level'], values: ['1'] }] })).toBe('none')
    expect(paths({ claims: [{ path: ['level'], values: [1] }] })).toEqual([[['level']]])
  })

  test('of an array shows the elements that match, or all [VP-W-CLM-06] [VP-W-CLM-07]', () => {
    expect(paths({ claims: [{ path: ['roles', null], values: ['Manager'] }] })).toEqual([[['roles', 1]]])
    expect(paths({ claims: [{ path: ['roles', null] }] })).toEqual([
      [
        ['roles', 0],
        ['roles', 1],
      ],
    ])
    expect(paths({ claims: [{ path: ['roles', null], values: ['Boss'] }] })).toBe('none')
  })

  test('of an object shows the one member, or the whole [VP-W-CLM-08] [VP-W-CLM-09]', () => {
    expect(paths({ claims: [{ path: ['address', 'region'] }] })).toEqual([[['address', 'region']]])
    expect(paths({ claims: [{ path: ['address'] }] })).toEqual([[['address']]])
  })

  test('has own members only [VP-W-CLM-11]', () => {
    for (const path of [
      ['constructor'],
      ['__proto__'],
      ['role', 'length'],
      ['roles', 'length'],
      ['roles', '0'],
      ['toString'],
    ]) {
      expect(paths({ claims: [{ path }] })).toBe('none')
    }
    const odd: JsonObject = JSON.parse('{"__proto__": "x", "constructor": "y"}')
    const claims = [{ path: ['__proto__'] }, { path: ['constructor'], values: ['y'] }]
    expect(paths({ claims }, [held({ claims: odd })])).toEqual([[['__proto__'], ['constructor']]])
  })

  test('is refused for a reason that says what is missing', () => {
    const [asked] = query({ claims: [{ path: ['role'] }, { path: ['missing'] }] }).credentials
    if (asked === undefined) throw new Error('The query has no credential.')
    expect(matchCredential(asked, held())).toEqual({
      matches: false,
      reason: 'claim_missing',
      missing: [['missing']],
    })
  })
})

describe('transaction data in a request', () => {
  const sound = { type: 't', credential_ids: ['role_cred'] }
  const read = (content: JsonObject | string, asked = query()) =>
    outcome(() =>
      parseTransactionData(typeof content === 'string' ? content : encodeTransactionData(content), asked),
    )

  test('is base64url of an object with type and known queries [VP-W-TXD-02] [VP-W-TXD-03]', async () => {
    expect(await read(sound)).toBe('accepted')
    for (const bad of [
      { ...sound, type: 7 },
      { ...sound, credential_ids: [] },
      { ...sound, credential_ids: ['other'] },
      { type: 't' },
      '!!!',
      encodeBase64url(utf8('[]')),
    ]) {
      expect(await read(bad)).toBe('E invalid_transaction_data')
    }
    expect(await read(sound, query({ require_cryptographic_holder_binding: false }))).toBe(
      'E invalid_transaction_data',
    )
  })
})

describe('the encrypted answer', () => {
  const key = generateDecryptionKey()
  const jwk: JsonObject = JSON.parse(JSON.stringify(key.publicJwk))
  const metadata = (keys: readonly JsonObject[], encs?: readonly string[]) =>
    parseClientMetadata({
      jwks: { keys },
      ...(encs === undefined ? {} : { encrypted_response_enc_values_supported: encs }),
    })

  test('goes to the first usable key [VP-W-ENC-01] [VP-W-ENC-03]', () => {
    const signing = { ...jwk, use: 'sig', kid: 'sig' }
    const unknown = { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA', kid: 'akp' }
    expect(chooseResponseEncryption(metadata([signing, unknown, jwk])).jwk.kid).toBe(key.kid)
  })

  test('needs a key with alg and a common enc; A256GCM is preferred [VP-W-ENC-02] [VP-W-ENC-04] [VP-W-ENC-05]', async () => {
    const { alg: _alg, ...without } = jwk
    expect(await outcome(() => chooseResponseEncryption(metadata([without])))).toBe('E invalid_request')
    expect(await outcome(() => chooseResponseEncryption(metadata([jwk], ['A256CBC-HS512'])))).toBe(
      'E invalid_request',
    )
    expect(chooseResponseEncryption(metadata([jwk])).enc).toBe('A128GCM')
    expect(chooseResponseEncryption(metadata([jwk], ['A128GCM', 'A256GCM'])).enc).toBe('A256GCM')
  })

  test('never carries presentations in the clear; an error may [VP-W-ENC-09]', async () => {
    const request = parseAuthorizationRequest({
      client_id: HASH,
      response_type: 'vp_token',
      response_mode: 'direct_post.jwt',
      response_uri: RESPONSE,
      nonce: 'n',
      state: 's',
      dcql_query: QUERY,
    })
    expect(await outcome(() => directPostBody(request, { vpToken: new Map([['role_cred', ['x~']]]) }))).toBe(
      'E invalid_request',
    )
    expect(await directPostBody(request, { error: 'access_denied' })).toBe('error=access_denied&state=s')
  })
})
