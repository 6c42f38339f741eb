/**
 * The error matrix of the issuer: every cell a case, and the order in which faults are looked for.
 *
 * What is asserted of each refusal besides status and code is in `issuer-faults.ts`. `bearer` is base mode with
 * a client that knows no DPoP.
 *
 * Source: requirements/issuer.md, section 13.
 *
 * @module
 */
import { type JsonValue, selectByPath } from '@attache/core'
import { generateDecryptionKey } from '@attache/keys'
import { makeResponseEncryption } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import { bodyOf, CLIENT_ID, certify, ISSUER, newSigner } from './issuer-bench.js'
import { CALLBACK, codeOf, PKCE } from './issuer-browser.js'
import {
  body,
  codeDraft,
  copyOf,
  createStage,
  credentialDraft,
  type Draft,
  deferredDraft,
  ENCRYPTION,
  notificationDraft,
  obtainedToken,
  parDraft,
  proofJwt,
  REQUEST_KEY,
  renewed,
  resourceDraft,
  type Stage,
  send,
  tokenDraft,
} from './issuer-draft.js'
import {
  ALL,
  aged,
  answering,
  asText,
  BOUND,
  both,
  byGet,
  type Cell,
  cells,
  details,
  expectOrder,
  type Fault,
  HAIP,
  inBody,
  inForm,
  inJwt,
  inProofs,
  later,
  leaving,
  ofType,
  otherClient,
  otherInstance,
  returning,
  twice,
  withHeader,
  without,
  withoutClaim,
} from './issuer-faults.js'

const BASE = ['base'] as const
const CHALLENGES = { attestation: { challenges: true } } as const
const NONCES = { dpopNonces: true } as const
const CHALLENGE = 'OAuth-Client-Attestation-Challenge'

const strangers = certify('Stranger')
const byStranger: Fault = async (draft, stage) => {
  const { signer } = await strangers
  await inJwt('attestation', { signer, header: { x5c: [...(signer.x5c ?? [])] } })(draft, stage)
}

/** PAR and token: a form. */
const FORM: readonly Cell[] = [
  ['GET', 405, undefined, byGet],
  ['a JSON body', 400, 'invalid_request', ofType('application/json'), { reason: /Content-Type/ }],
  ['no media type', 400, 'invalid_request', ofType(undefined), { reason: /Content-Type/ }],
  ['client_id twice', 400, 'invalid_request', twice('client_id'), { reason: /twice/ }],
  ['an unknown parameter twice', 400, 'invalid_request', twice('foo'), { reason: /twice/ }],
  ['a body beyond 64 KiB', 413, 'request_too_large', inForm({ foo: 'x'.repeat(65_537) })],
]

const attestation = (name: string, fault: Fault): Cell => [
  name,
  401,
  'invalid_client',
  fault,
  { modes: HAIP },
]

/** PAR and token: who is asking. */
const CLIENT: readonly Cell[] = [
  attestation('no attestation', without('attestation')),
  attestation('no PoP', without('pop')),
  attestation('two attestations', withHeader('OAuth-Client-Attestation', 'a.b.c')),
  attestation('two PoPs', withHeader('OAuth-Client-Attestation-PoP', 'a.b.c')),
  attestation('an attestation of another typ', inJwt('attestation', { header: { typ: 'jwt' } })),
  attestation('an attestation with another signature', inJwt('attestation', { forged: 'flipped' })),
  attestation('an attestation by a stranger', byStranger),
  attestation('an attestation without sub', withoutClaim('attestation', 'sub')),
  attestation('an attestation without exp', withoutClaim('attestation', 'exp')),
  attestation('an attestation without cnf', withoutClaim('attestation', 'cnf')),
  attestation('an expired attestation', (draft, stage) =>
    inJwt('attestation', { payload: { exp: stage.bench.time.clock() - 61 } })(draft, stage),
  ),
  attestation('a PoP of another typ', inJwt('pop', { header: { typ: 'jwt' } })),
  attestation('a PoP with another signature', inJwt('pop', { forged: 'flipped' })),
  attestation('a PoP by another key', inJwt('pop', { signer: newSigner() })),
  attestation('a PoP for the endpoint', inJwt('pop', { payload: { aud: `${ISSUER}/token` } })),
  attestation('a PoP of another iss', inJwt('pop', { payload: { iss: 'https://other.example' } })),
  attestation('a PoP without jti', withoutClaim('pop', 'jti')),
  attestation('a PoP without iat', withoutClaim('pop', 'iat')),
  attestation('a PoP too old', aged('pop', -61)),
  attestation('a PoP from the future', aged('pop', 61)),
  attestation('another client_id', inForm({ client_id: 'https://other.example' })),
  attestation('a client_secret beside it', inForm({ client_secret: 'x' })),
  attestation('an Authorization field beside it', withHeader('Authorization', 'Basic eDp4')),
  ['no client_id', 401, 'invalid_client', inForm({ client_id: undefined }), { modes: BASE }],
  [
    'no challenge where challenges are on',
    400,
    'use_attestation_challenge',
    withoutClaim('pop', 'challenge'),
    { modes: HAIP, options: CHALLENGES, brings: CHALLENGE },
  ],
  [
    'a made-up challenge',
    400,
    'use_attestation_challenge',
    inJwt('pop', { payload: { challenge: 'made-up' } }),
    { modes: HAIP, options: CHALLENGES, brings: CHALLENGE },
  ],
  [
    'an attestation too old for the policy',
    400,
    'use_fresh_attestation',
    aged('attestation', -301),
    { modes: HAIP, options: { attestation: { maxAttestationAgeSeconds: 300 } } },
  ],
]

const DPOP_FAULTS: readonly (readonly [string, Fault])[] = [
  ['a proof of another typ', inJwt('dpop', { header: { typ: 'jwt' } })],
  ['a proof with another signature', inJwt('dpop', { forged: 'flipped' })],
  ['a proof with the key of somebody else', inJwt('dpop', { header: { jwk: { ...newSigner().publicJwk } } })],
  ['a proof for GET', inJwt('dpop', { payload: { htm: 'GET' } })],
  ['a proof for another URL', inJwt('dpop', { payload: { htu: `${ISSUER}/nonce` } })],
  ['a proof without jti', withoutClaim('dpop', 'jti')],
  ['a proof without iat', withoutClaim('dpop', 'iat')],
  ['a proof too old', aged('dpop', -61)],
  ['a proof from the future', aged('dpop', 61)],
  ['two proofs', withHeader('DPoP', 'a.b.c')],
]

const usedBefore: Fault = async (draft, stage) => {
  await body(stage, draft)
}

/** PAR and token: the DPoP proof. */
const SERVER_DPOP: readonly Cell[] = [
  ...DPOP_FAULTS.map(([name, fault]): Cell => [name, 400, 'invalid_dpop_proof', fault]),
  [
    'no nonce where nonces are on',
    400,
    'use_dpop_nonce',
    withoutClaim('dpop', 'nonce'),
    { options: NONCES, brings: 'DPoP-Nonce' },
  ],
  [
    'a made-up nonce',
    400,
    'use_dpop_nonce',
    inJwt('dpop', { payload: { nonce: 'made-up' } }),
    { options: NONCES, brings: 'DPoP-Nonce' },
  ],
  [
    'a nonce of the credential issuer',
    400,
    'use_dpop_nonce',
    async (draft, stage) => {
      const answer = await stage.bench.send(`${ISSUER}/nonce`, { method: 'POST' })
      await inJwt('dpop', { payload: { nonce: answer.headers.get('DPoP-Nonce') } })(draft, stage)
    },
    { options: NONCES, brings: 'DPoP-Nonce' },
  ],
]

const ROLE = { type: 'openid_credential', credential_configuration_id: 'agent-role' }
const OTHER_ROLE = { ...ROLE, credential_configuration_id: 'other-role' }
const askedFor = (name: string, ...entries: readonly JsonValue[]): Cell => [
  name,
  400,
  'invalid_authorization_details',
  details(...entries),
]

/** PAR and token: what is asked for. */
const ASKED: readonly Cell[] = [
  ['details that are no JSON', 400, 'invalid_authorization_details', inForm({ authorization_details: '[' })],
  askedFor('details of another type', { ...ROLE, type: 'payment' }),
  askedFor('details without an id', { type: 'openid_credential' }),
  askedFor('details for an unknown configuration', { ...ROLE, credential_configuration_id: 'x' }),
  askedFor('details for another location', { ...ROLE, locations: ['https://other.example'] }),
  askedFor('details with a claim twice', { ...ROLE, claims: [{ path: ['role'] }, { path: ['role'] }] }),
  ['a malformed scope', 400, 'invalid_scope', inForm({ scope: 'two  spaces' })],
  ['another resource', 400, 'invalid_target', inForm({ resource: 'https://other.example' })],
  ['a resource with a fragment', 400, 'invalid_target', inForm({ resource: `${ISSUER}#x` })],
]

const missing = (name: string): Cell => [
  `no ${name}`,
  400,
  'invalid_request',
  inForm({ [name]: undefined }),
  { reason: new RegExp(name) },
]
const redirect = (name: string, uri: string): Cell => [
  name,
  400,
  'invalid_request',
  inForm({ redirect_uri: uri }),
  { reason: /redirect_uri/ },
]

describe('the error matrix: pushed authorization requests', () => {
  const par = {
    good: async (stage: Stage) => answering(stage, parDraft(stage)),
    succeeds: 201,
    modes: BOUND,
  }
  cells(par, [
    ...FORM,
    ...CLIENT,
    ...SERVER_DPOP,
    ['a proof used before', 400, 'invalid_dpop_proof', usedBefore, { modes: BASE, spends: 'attempt' }],
    ['a PoP used before', 401, 'invalid_client', usedBefore, { modes: HAIP, spends: 'attempt' }],
    ...ASKED,
    missing('response_type'),
    missing('code_challenge'),
    missing('redirect_uri'),
    ['a request_uri', 400, 'invalid_request', inForm({ request_uri: 'urn:ietf:params:oauth:request_uri:x' })],
    ['response_type token', 400, 'unsupported_response_type', inForm({ response_type: 'token' })],
    ['PKCE by plain', 400, 'invalid_request', inForm({ code_challenge_method: 'plain' })],
    ['PKCE without a method', 400, 'invalid_request', inForm({ code_challenge_method: undefined })],
    ['a short code_challenge', 400, 'invalid_request', inForm({ code_challenge: 'short' })],
    redirect('a redirect_uri by http', 'http://agents.example/cb'),
    redirect('a redirect_uri with a fragment', `${CALLBACK}#x`),
    redirect('a redirect_uri with a space', 'https://agents.example '),
    redirect('a redirect_uri with a line break', `${CALLBACK}\n`),
    redirect('a redirect_uri with a backslash', 'https://agents.example\\@evil.example'),
    redirect('a redirect_uri beyond ASCII', 'https://agents.example/é'),
    redirect('a redirect_uri with a password', 'https://a:b@agents.example/cb'),
    redirect('a redirect_uri that is a script', 'javascript:alert(1)'),
    [
      'a redirect_uri beside the list',
      400,
      'invalid_request',
      inForm({ redirect_uri: `${CALLBACK}/` }),
      { options: { redirectUris: [CALLBACK] }, reason: /redirect_uri/ },
    ],
    ['a state of 2001 characters', 400, 'invalid_request', inForm({ state: 'x'.repeat(2001) })],
    ['an unknown issuer_state', 400, 'invalid_request', inForm({ issuer_state: 'x' }), { reason: /offer/ }],
    ['a malformed dpop_jkt', 400, 'invalid_request', inForm({ dpop_jkt: 'x' }), { reason: /dpop_jkt/ }],
    ['a dpop_jkt of another key', 400, 'invalid_dpop_proof', inForm({ dpop_jkt: 'x'.repeat(43) })],
    ['only unknown scopes', 400, 'invalid_scope', inForm({ scope: 'nothing of ours' })],
    ['nothing asked for', 400, 'invalid_scope', inForm({ scope: undefined })],
  ])

  test('the earlier one of two faults answers', async () => {
    const stage = await createStage('haip', { ...CHALLENGES, ...NONCES })
    await expectOrder(par, stage, [
      ['method', 405, undefined, byGet],
      ['media type', 400, 'invalid_request', ofType('text/plain'), { reason: /Content-Type/ }],
      ['repeated parameter', 400, 'invalid_request', twice('foo'), { reason: /twice/ }],
      ['attestation', 401, 'invalid_client', inJwt('attestation', { forged: 'flipped' })],
      ['challenge', 400, 'use_attestation_challenge', inJwt('pop', { payload: { challenge: 'x' } })],
      ['DPoP proof', 400, 'invalid_dpop_proof', inJwt('dpop', { payload: { htm: 'GET' } })],
      ['DPoP nonce', 400, 'use_dpop_nonce', inJwt('dpop', { payload: { nonce: 'x' } })],
      ['response_type', 400, 'unsupported_response_type', inForm({ response_type: 'token' })],
      ['scope', 400, 'invalid_scope', inForm({ scope: 'two  spaces' })],
    ])
  })
})

const CODE = 'pre-authorized_code'

describe('the error matrix: token by pre-authorized code', () => {
  const token = {
    good: async (stage: Stage) => answering(stage, await codeDraft(stage)),
    succeeds: 200,
    modes: BOUND,
  }
  cells(token, [
    ...FORM,
    ...CLIENT,
    ...SERVER_DPOP,
    ['no proof', 400, 'invalid_dpop_proof', without('dpop'), { modes: HAIP }],
    ...ASKED,
    askedFor('details beyond the offer', OTHER_ROLE),
    missing('grant_type'),
    missing(CODE),
    ['tx_code missing', 400, 'invalid_request', inForm({ tx_code: undefined }), { reason: /tx_code/ }],
    [
      'tx_code not asked for',
      400,
      'invalid_request',
      inForm({ tx_code: '123456' }),
      { modes: HAIP, options: { transactionCode: null }, reason: /tx_code/ },
    ],
    ['tx_code wrong', 400, 'invalid_grant', inForm({ tx_code: 'x' }), { spends: 'attempt', reason: /trans/ }],
    ['an unknown code', 400, 'invalid_grant', inForm({ [CODE]: 'made-up' })],
    [
      'an expired code',
      400,
      'invalid_grant',
      later(5),
      { options: { lifetimes: { offer: 5 } }, spends: 'all' },
    ],
    [
      'a used code',
      400,
      'invalid_grant',
      async (draft, stage) => usedBefore(renewed(draft), stage),
      { spends: 'all' },
    ],
    ['the password grant', 400, 'unsupported_grant_type', inForm({ grant_type: 'password' })],
    ['an unknown grant', 400, 'unsupported_grant_type', inForm({ grant_type: 'urn:x' })],
    [
      'the code grant where it is off',
      400,
      'unsupported_grant_type',
      inForm({ grant_type: 'authorization_code', code: 'x' }),
      { options: { grants: ['pre-authorized_code'] } },
    ],
    [
      'refreshing where it is off',
      400,
      'unsupported_grant_type',
      inForm({ grant_type: 'refresh_token', refresh_token: 'x' }),
      { options: { refreshTokenSeconds: undefined } },
    ],
  ])

  test('five wrong transaction codes end the code: 400 invalid_grant for the right one', async () => {
    const stage = await createStage('haip')
    const good = await codeDraft(stage)
    for (let nth = 0; nth < 5; nth += 1) {
      const wrong = renewed(good)
      await inForm({ tx_code: 'wrong' })(wrong, stage)
      expect((await bodyOf(await send(stage, wrong)))['error']).toBe('invalid_grant')
    }
    expect((await bodyOf(await send(stage, renewed(good))))['error']).toBe('invalid_grant')
  })

  test('the earlier one of two faults answers', async () => {
    const stage = await createStage('haip', { ...CHALLENGES, ...NONCES })
    await expectOrder(token, stage, [
      ['method', 405, undefined, byGet],
      ['media type', 400, 'invalid_request', ofType('text/plain'), { reason: /Content-Type/ }],
      ['repeated parameter', 400, 'invalid_request', twice('foo'), { reason: /twice/ }],
      ['attestation', 401, 'invalid_client', inJwt('attestation', { forged: 'flipped' })],
      ['challenge', 400, 'use_attestation_challenge', inJwt('pop', { payload: { challenge: 'x' } })],
      ['DPoP proof', 400, 'invalid_dpop_proof', inJwt('dpop', { payload: { htm: 'GET' } })],
      ['DPoP nonce', 400, 'use_dpop_nonce', inJwt('dpop', { payload: { nonce: 'x' } })],
      ['scope', 400, 'invalid_scope', inForm({ scope: 'two  spaces' })],
      ['grant type', 400, 'unsupported_grant_type', inForm({ grant_type: 'password' })],
      ['resource', 400, 'invalid_target', inForm({ resource: 'https://other.example' })],
      ['code', 400, 'invalid_grant', inForm({ [CODE]: 'made-up' })],
      ['tx_code', 400, 'invalid_request', inForm({ tx_code: undefined }), { reason: /tx_code/ }],
      ['details', 400, 'invalid_authorization_details', details(OTHER_ROLE)],
    ])
  })
})

async function authorizationCodeDraft(stage: Stage): Promise<Draft> {
  const code = await codeOf(stage, { client_id: CLIENT_ID })
  const form = { code, redirect_uri: CALLBACK, code_verifier: PKCE.codeVerifier }
  return tokenDraft(stage, { grant_type: 'authorization_code', ...form })
}

describe('the error matrix: token by authorization code', () => {
  cells({ good: authorizationCodeDraft, succeeds: 200, modes: BOUND }, [
    missing('code'),
    ['an unknown code', 400, 'invalid_grant', inForm({ code: 'made-up' })],
    ['another code_verifier', 400, 'invalid_grant', inForm({ code_verifier: 'x'.repeat(43) })],
    ['no code_verifier', 400, 'invalid_grant', inForm({ code_verifier: undefined })],
    ['another redirect_uri', 400, 'invalid_grant', inForm({ redirect_uri: `${CALLBACK}/` })],
    ['no redirect_uri', 400, 'invalid_grant', inForm({ redirect_uri: undefined })],
    ['another client', 400, 'invalid_grant', otherClient],
    ['another instance of the client', 400, 'invalid_grant', otherInstance, { modes: HAIP }],
    ['a tx_code', 400, 'invalid_request', inForm({ tx_code: '123456' }), { reason: /tx_code/ }],
    ...ASKED,
    askedFor('details beyond the request', OTHER_ROLE),
    ['an expired code', 400, 'invalid_grant', later(60), { spends: 'all' }],
    [
      'a used code',
      400,
      'invalid_grant',
      async (draft, stage) => usedBefore(renewed(draft), stage),
      { spends: 'all', writes: true },
    ],
  ])
})

async function refreshDraft(stage: Stage): Promise<Draft> {
  const granted = await body(stage, await codeDraft(stage))
  return tokenDraft(stage, {
    grant_type: 'refresh_token',
    refresh_token: String(granted['refresh_token']),
  })
}

describe('the error matrix: token by refresh token', () => {
  cells({ good: refreshDraft, succeeds: 200, modes: BOUND }, [
    missing('refresh_token'),
    ['an unknown token', 400, 'invalid_grant', inForm({ refresh_token: 'made-up' })],
    [
      'an expired token',
      400,
      'invalid_grant',
      later(5),
      { options: { refreshTokenSeconds: 5 }, spends: 'all' },
    ],
    ['another client', 400, 'invalid_grant', otherClient],
    ['another instance of the client', 400, 'invalid_grant', otherInstance, { modes: HAIP }],
    ['a wider scope', 400, 'invalid_scope', inForm({ scope: `${ISSUER}/types/other-role/v1` })],
    ['a tx_code', 400, 'invalid_request', inForm({ tx_code: '123456' }), { reason: /tx_code/ }],
    ...ASKED,
    askedFor('wider details', OTHER_ROLE),
  ])
})

const withoutToken: Fault = (draft) => {
  draft.token = undefined
}
const sentAs =
  (scheme: string): Fault =>
  (draft) => {
    if (draft.token) draft.token.scheme = scheme
  }
const unknownToken: Fault = (draft) => {
  if (draft.token) draft.token.text = 'x'.repeat(43)
}
const revoked: Fault = async (_, { bench }) => {
  for (const { key } of await bench.store.list('t/default/issuer/grant/')) await bench.store.take(key)
}
const inQuery: Fault = (draft) => {
  draft.path = `${draft.path}?access_token=${draft.token?.text}`
}
const FULL = { lifetimes: { accessToken: 5 } }

/** Credential, deferred credential, notification: token and proof. */
const RESOURCE: readonly Cell[] = [
  ['no token', 401, undefined, withoutToken],
  ['an unknown token', 401, 'invalid_token', unknownToken],
  ['an expired token', 401, 'invalid_token', later(5), { options: FULL, spends: 'all' }],
  ['a revoked token', 401, 'invalid_token', revoked, { spends: 'all' }],
  ['a bound token as Bearer', 401, 'invalid_token', sentAs('Bearer'), { modes: BOUND, scheme: 'dpop' }],
  ['a Bearer token as DPoP', 401, 'invalid_token', sentAs('DPoP'), { modes: ['bearer'], scheme: 'dpop' }],
  [
    'the key of somebody else',
    401,
    'invalid_token',
    (draft, stage) => {
      const signer = newSigner()
      return inJwt('dpop', { signer, header: { jwk: { ...signer.publicJwk } } })(draft, stage)
    },
    { modes: BOUND },
  ],
  ['no proof', 401, 'invalid_dpop_proof', without('dpop'), { modes: BOUND }],
  ...DPOP_FAULTS.map(([name, fault]): Cell => [name, 401, 'invalid_dpop_proof', fault, { modes: BOUND }]),
  ['a proof without ath', 401, 'invalid_dpop_proof', withoutClaim('dpop', 'ath'), { modes: BOUND }],
  [
    'a proof for another token',
    401,
    'invalid_dpop_proof',
    inJwt('dpop', { payload: { ath: 'x'.repeat(43) } }),
    { modes: BOUND },
  ],
  [
    'no nonce where nonces are on',
    401,
    'use_dpop_nonce',
    withoutClaim('dpop', 'nonce'),
    { modes: BOUND, options: NONCES, brings: 'DPoP-Nonce' },
  ],
  [
    'a nonce of the authorization server',
    401,
    'use_dpop_nonce',
    async (draft, stage) => {
      const asked = await send(stage, tokenDraft(stage, {}))
      await inJwt('dpop', { payload: { nonce: asked.headers.get('DPoP-Nonce') } })(draft, stage)
    },
    { modes: BOUND, options: NONCES, brings: 'DPoP-Nonce' },
  ],
  ['two Authorization fields', 400, 'invalid_request', withHeader('Authorization', 'DPoP x')],
  ['the token in the query', 400, 'invalid_request', inQuery],
]

/** What these endpoints have in common before a body is understood. */
const bodies = (code: string): readonly Cell[] => [
  ['GET', 405, undefined, byGet],
  ['a text body', 400, code, ofType('text/plain'), { reason: /Content-Type/ }],
  ['a form', 400, code, ofType('application/x-www-form-urlencoded'), { reason: /Content-Type/ }],
  ['no media type', 400, code, ofType(undefined), { reason: /Content-Type/ }],
  ['JSON cut off', 400, code, asText('{"a":1'), { reason: /not JSON/ }],
  ['a member twice', 400, code, asText('{"a":1,"a":2}'), { reason: /twice/ }],
  ['nesting too deep', 400, code, asText(`${'['.repeat(40)}${']'.repeat(40)}`), { reason: /deep/ }],
  ['an array', 400, code, asText('[]')],
  ['nothing', 400, code, asText('')],
  ['a body beyond 256 KiB', 413, 'request_too_large', asText(`"${'x'.repeat(262_145)}"`)],
]

const FOREIGN_KEY = generateDecryptionKey()
const toForeignKey: Fault = (draft) => {
  draft.envelope = FOREIGN_KEY
}
const inTheClear: Fault = (draft) => {
  draft.envelope = undefined
}
const RESPONSE = makeResponseEncryption({ jwk: generateDecryptionKey().publicJwk, enc: 'A128GCM' })
const response = (change: Readonly<Record<string, JsonValue>> = {}): Fault =>
  inBody({ credential_response_encryption: { ...RESPONSE, ...change } })
const encrypted = (good: (stage: Stage) => Promise<Draft>) => async (stage: Stage) => ({
  ...(await good(stage)),
  envelope: REQUEST_KEY,
})
const CREDENTIAL = 'invalid_credential_request'
const PARAMETERS = 'invalid_encryption_parameters'

/** Envelope and encryption parameters, over a stage where both directions are offered. */
const ENVELOPE: readonly Cell[] = [
  ['encrypted to another key', 400, CREDENTIAL, toForeignKey, { reason: /does not open/ }],
  ['application/jwt that is none', 400, CREDENTIAL, both(inTheClear, ofType('application/jwt'))],
  ['no JSON inside', 400, CREDENTIAL, asText('no JSON'), { reason: /does not hold JSON/ }],
  ['response parameters in the clear', 400, CREDENTIAL, both(inTheClear, response()), { reason: /Encrypt/ }],
  [
    'plain where encryption is required',
    400,
    CREDENTIAL,
    inTheClear,
    { options: { encryption: { ...ENCRYPTION, requestRequired: true } }, reason: /encrypted/ },
  ],
  ['response parameters without enc', 400, PARAMETERS, response({ enc: '' })],
  ['an enc that is not offered', 400, PARAMETERS, response({ enc: 'A256GCM' })],
  ['a jwk that is none', 400, PARAMETERS, response({ jwk: {} })],
  ['response parameters that are no object', 400, PARAMETERS, inBody({ credential_response_encryption: 1 })],
  [
    'no response parameters where they are required',
    400,
    PARAMETERS,
    inBody({ credential_response_encryption: undefined }),
    { options: { encryption: { ...ENCRYPTION, response: 'required' } }, spends: 'all' },
  ],
  [
    'response parameters where nothing is encrypted',
    400,
    PARAMETERS,
    response(),
    { options: { encryption: { ...ENCRYPTION, response: 'off' } } },
  ],
]

/** A stage's token that came with identifiers. */
async function identifiedDraft(stage: Stage): Promise<Draft> {
  const asking = await codeDraft(stage)
  await details(ROLE)(asking, stage)
  const granted = await body(stage, asking)
  const [identifier] = selectByPath(granted, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
  const draft = resourceDraft(stage, {
    path: '/credential',
    token: String(granted['access_token']),
    body: { credential_identifier: identifier ?? '' },
  })
  return { ...draft, proofs: [await proofJwt(stage)] }
}

const proved =
  (...more: readonly Fault[]): Fault =>
  async (draft, stage) => {
    draft.proofs = [...(draft.proofs ?? []), await proofJwt(stage)]
    await both(...more)(draft, stage)
  }
const invalidProof = (name: string, fault: Fault): Cell => [name, 400, 'invalid_proof', fault]

describe('the error matrix: the credential endpoint', () => {
  const credential = {
    good: async (stage: Stage) => answering(stage, await credentialDraft(stage)),
    succeeds: 200,
    modes: ALL,
  }
  cells(credential, RESOURCE)

  const own = { ...credential, modes: BOUND }
  cells(own, [
    ...bodies(CREDENTIAL),
    ['application/jwt where nothing is encrypted', 400, CREDENTIAL, ofType('application/jwt')],
    ['both ids', 400, CREDENTIAL, inBody({ credential_identifier: 'x' }), { reason: /exactly one/ }],
    ['no id', 400, CREDENTIAL, inBody({ credential_configuration_id: undefined }), { reason: /exactly one/ }],
    ['an id that is no text', 400, CREDENTIAL, inBody({ credential_configuration_id: 1 })],
    ['proofs that are no object', 400, CREDENTIAL, inBody({ proofs: 'x' })],
    ['proofs of two types', 400, CREDENTIAL, inBody({ proofs: { jwt: ['x'], attestation: ['x'] } })],
    ['proofs that are no array', 400, CREDENTIAL, inBody({ proofs: { jwt: 'x' } })],
    ['a proof that is no text', 400, CREDENTIAL, inBody({ proofs: { jwt: [1] } })],
    ['two attestation proofs', 400, CREDENTIAL, inBody({ proofs: { attestation: ['x', 'y'] } })],
    ['one proof too many', 400, CREDENTIAL, both(proved(), proved()), { reason: /at most 2/ }],
    [
      'an unknown configuration',
      400,
      'unknown_credential_configuration',
      inBody({ credential_configuration_id: 'x' }),
    ],
    [
      'an unknown identifier',
      400,
      'unknown_credential_identifier',
      inBody({ credential_configuration_id: undefined, credential_identifier: 'x' }),
    ],
    [
      'a configuration beyond the token',
      403,
      'insufficient_scope',
      inBody({ credential_configuration_id: 'other-role' }),
    ],
    invalidProof('no proofs', (draft) => {
      draft.proofs = undefined
    }),
    invalidProof('empty proofs', inBody({ proofs: {} })),
    invalidProof('no proof in them', inBody({ proofs: { jwt: [] } })),
    invalidProof('a proof of a type not offered', inBody({ proofs: { attestation: ['x'] } })),
    invalidProof('a proof of an unknown type', inBody({ proofs: { cwt: ['x'] } })),
    invalidProof('a proof that is no JWT', inBody({ proofs: { jwt: ['x'] } })),
    invalidProof('a proof of another typ', inProofs({ header: { typ: 'jwt' } })),
    invalidProof('a proof for another issuer', inProofs({ payload: { aud: 'https://other.example' } })),
    invalidProof('a proof with another signature', inProofs({ forged: 'flipped' })),
    invalidProof('a proof with kid beside jwk', inProofs({ header: { kid: 'x' } })),
    invalidProof('a proof of another iss', inProofs({ payload: { iss: 'https://other.example' } })),
    invalidProof('a proof an hour old', (draft, stage) =>
      inProofs({ payload: { iat: stage.bench.time.clock() - 3600 } })(draft, stage),
    ),
    invalidProof('a proof an hour ahead', (draft, stage) =>
      inProofs({ payload: { iat: stage.bench.time.clock() + 3600 } })(draft, stage),
    ),
    invalidProof('a proof without nonce', (draft) => {
      delete draft.proofs?.[0]?.payload['nonce']
    }),
    ['a made-up nonce', 400, 'invalid_nonce', inProofs({ payload: { nonce: 'made-up' } })],
    ['proofs with two nonces', 400, 'invalid_nonce', proved()],
    [
      'an expired nonce',
      400,
      'invalid_nonce',
      later(5),
      { options: { lifetimes: { cNonce: 5 } }, spends: 'all' },
    ],
    [
      'a spent nonce',
      400,
      'invalid_nonce',
      async (draft, stage) => usedBefore(renewed(draft), stage),
      { spends: 'all' },
    ],
    ['a person who has left', 400, 'credential_request_denied', leaving, { undo: returning }],
    [
      'a proof of possession used before',
      401,
      'invalid_dpop_proof',
      async (draft, stage) => {
        await body(stage, draft)
        draft.proofs = [await proofJwt(stage)]
      },
      { modes: BOUND, spends: 'all' },
    ],
  ])

  const promised = { ...own, good: (stage: Stage) => credentialDraft(stage, 'later-role'), succeeds: 202 }
  cells(promised, [
    [
      'a nonce that a deferred request spent',
      400,
      'invalid_nonce',
      async (draft, stage) => usedBefore(renewed(draft), stage),
      { spends: 'all' },
    ],
    [
      'a proof that a deferred request spent',
      401,
      'invalid_dpop_proof',
      async (draft, stage) => {
        await body(stage, draft)
        draft.proofs = [await proofJwt(stage)]
      },
      { spends: 'all' },
    ],
  ])

  cells({ ...own, good: identifiedDraft }, [
    [
      'a known configuration where identifiers were issued',
      400,
      CREDENTIAL,
      inBody({ credential_identifier: undefined, credential_configuration_id: 'agent-role' }),
      { reason: /credential_identifier/ },
    ],
    [
      'an unknown configuration where identifiers were issued',
      400,
      'unknown_credential_configuration',
      inBody({ credential_identifier: undefined, credential_configuration_id: 'x' }),
    ],
    [
      'an identifier of another grant',
      400,
      'unknown_credential_identifier',
      async (draft, stage) => {
        const other = await identifiedDraft(stage)
        await inBody({ credential_identifier: other.body?.['credential_identifier'] })(draft, stage)
      },
    ],
  ])

  const sealed = { ...own, good: encrypted(credentialDraft), options: { encryption: ENCRYPTION } }
  cells(sealed, ENVELOPE)

  test('the earlier one of two faults answers; a proof used before is noticed by the commit', async () => {
    const stage = await createStage('haip', { ...NONCES, encryption: ENCRYPTION })
    const learned = async () => {
      const draft = await answering(stage, await credentialDraft(stage))
      return { ...draft, envelope: REQUEST_KEY }
    }
    const used = await learned()
    await body(stage, used)
    const replayed: Fault = (draft) => {
      const { dpop, token } = copyOf(used)
      draft.dpop = dpop
      draft.token = token
    }
    await expectOrder({ good: learned, succeeds: 200 }, stage, [
      ['method', 405, undefined, byGet],
      ['media type', 400, CREDENTIAL, ofType('text/plain'), { reason: /Content-Type/ }],
      ['token', 401, 'invalid_token', unknownToken],
      [
        'DPoP proof',
        401,
        'invalid_dpop_proof',
        inJwt('dpop', { payload: { htm: 'GET' } }),
        { reason: /method/ },
      ],
      ['DPoP nonce', 401, 'use_dpop_nonce', inJwt('dpop', { payload: { nonce: 'x' } })],
      ['envelope', 400, CREDENTIAL, toForeignKey, { reason: /does not open/ }],
      ['JSON', 400, CREDENTIAL, asText('['), { reason: /JSON/ }],
      ['shape', 400, CREDENTIAL, inBody({ credential_identifier: 'x' }), { reason: /exactly one/ }],
      ['id', 400, 'unknown_credential_configuration', inBody({ credential_configuration_id: 'x' })],
      ['encryption parameters', 400, PARAMETERS, response({ enc: 'x' })],
      ['count', 400, CREDENTIAL, both(proved(), proved()), { reason: /at most 2/ }],
      ['key proof', 400, 'invalid_proof', inProofs({ header: { typ: 'jwt' } })],
      ['nonce', 400, 'invalid_nonce', inProofs({ payload: { nonce: 'x' } })],
      ['policy', 400, 'credential_request_denied', leaving, { undo: returning }],
      ['DPoP proof used before', 401, 'invalid_dpop_proof', replayed, { reason: /used before/ }],
    ])
  })
})

const decide =
  (decision: 'approved' | 'denied'): Fault =>
  async (_, { bench }) => {
    for (const { id } of await bench.issuer.listDeferred()) await bench.issuer.decideDeferred(id, decision)
  }
const TRANSACTION = 'invalid_transaction_id'

describe('the error matrix: the deferred credential endpoint', () => {
  const deferred = {
    good: async (stage: Stage) => answering(stage, await deferredDraft(stage)),
    succeeds: 202,
    modes: ALL,
  }
  cells(deferred, RESOURCE)

  const own = { ...deferred, modes: BOUND }
  cells(own, [
    ...bodies(CREDENTIAL),
    ['a proof used before', 401, 'invalid_dpop_proof', usedBefore, { spends: 'attempt' }],
    ['no transaction_id', 400, CREDENTIAL, inBody({ transaction_id: undefined })],
    ['a transaction_id that is no text', 400, CREDENTIAL, inBody({ transaction_id: 1 })],
    ['an unknown transaction_id', 400, TRANSACTION, inBody({ transaction_id: 'made-up' })],
    [
      'the transaction_id of another grant',
      400,
      TRANSACTION,
      async (draft, stage) => {
        const other = await deferredDraft(stage)
        await inBody({ transaction_id: other.body?.['transaction_id'] })(draft, stage)
      },
    ],
    [
      'the transaction_id of this client from another grant',
      400,
      TRANSACTION,
      async (draft, stage) => {
        const mine = await obtainedToken(stage)
        const { token, dpop } = resourceDraft(stage, { path: '/deferred', token: mine, body: {} })
        draft.token = token
        draft.dpop = dpop
      },
    ],
    [
      'a redeemed transaction_id',
      400,
      TRANSACTION,
      both(decide('approved'), async (draft, stage) => usedBefore(renewed(draft), stage)),
      { spends: 'all' },
    ],
    ['a denied one', 400, 'credential_request_denied', decide('denied'), { spends: 'all' }],
    [
      'a person who has left meanwhile',
      400,
      'credential_request_denied',
      both(decide('approved'), leaving),
      { spends: 'all' },
    ],
  ])

  const sealed = {
    ...own,
    good: encrypted((stage) => deferredDraft(stage, REQUEST_KEY)),
    options: { encryption: ENCRYPTION },
  }
  cells(
    sealed,
    ENVELOPE.filter(([, , , , more]) => more?.spends !== 'all'),
  )

  test.each(ALL)('%s: pending is 202 with the same transaction_id', async (mode) => {
    const stage = await createStage(mode)
    const poll = await deferredDraft(stage)
    for (const draft of [poll, renewed(poll)]) {
      const answer = await send(stage, draft)
      expect(answer.status).toBe(202)
      expect(await bodyOf(answer)).toEqual({
        transaction_id: poll.body?.['transaction_id'],
        interval: expect.any(Number),
      })
    }
  })

  test('the earlier one of two faults answers', async () => {
    const stage = await createStage('haip', { ...NONCES, encryption: ENCRYPTION })
    const good = async () => ({
      ...(await answering(stage, await deferredDraft(stage))),
      envelope: REQUEST_KEY,
    })
    await expectOrder({ good, succeeds: 202 }, stage, [
      ['method', 405, undefined, byGet],
      ['media type', 400, CREDENTIAL, ofType('text/plain'), { reason: /Content-Type/ }],
      ['token', 401, 'invalid_token', unknownToken],
      ['DPoP proof', 401, 'invalid_dpop_proof', inJwt('dpop', { payload: { htm: 'GET' } })],
      ['envelope', 400, CREDENTIAL, toForeignKey, { reason: /does not open/ }],
      ['JSON', 400, CREDENTIAL, asText('['), { reason: /JSON/ }],
      ['encryption parameters', 400, PARAMETERS, response({ enc: 'x' })],
      ['id', 400, TRANSACTION, inBody({ transaction_id: 'made-up' })],
    ])
  })
})

const NOTIFICATION = 'invalid_notification_request'

describe('the error matrix: the notification endpoint', () => {
  const notification = {
    good: async (stage: Stage) => answering(stage, await notificationDraft(stage)),
    succeeds: 204,
    modes: ALL,
  }
  cells(notification, RESOURCE)

  cells({ ...notification, modes: BOUND }, [
    ...bodies(NOTIFICATION),
    ['application/jwt', 400, NOTIFICATION, ofType('application/jwt'), { reason: /Content-Type/ }],
    ['a proof used before', 401, 'invalid_dpop_proof', usedBefore, { spends: 'attempt' }],
    ['no notification_id', 400, NOTIFICATION, inBody({ notification_id: undefined })],
    ['a notification_id that is no text', 400, NOTIFICATION, inBody({ notification_id: 1 })],
    ['no event', 400, NOTIFICATION, inBody({ event: undefined })],
    ['an unknown event', 400, NOTIFICATION, inBody({ event: 'credential_lost' })],
    ['a description with a quote', 400, NOTIFICATION, inBody({ event_description: 'a"b' })],
    ['an unknown notification_id', 400, 'invalid_notification_id', inBody({ notification_id: 'made-up' })],
    [
      'the notification_id of another grant',
      400,
      'invalid_notification_id',
      async (draft, stage) => {
        const other = await notificationDraft(stage)
        await inBody({ notification_id: other.body?.['notification_id'] })(draft, stage)
      },
    ],
  ])

  test('the earlier one of two faults answers', async () => {
    await expectOrder(notification, await createStage('haip', NONCES), [
      ['method', 405, undefined, byGet],
      ['media type', 400, NOTIFICATION, ofType('text/plain'), { reason: /Content-Type/ }],
      ['token', 401, 'invalid_token', unknownToken],
      ['DPoP proof', 401, 'invalid_dpop_proof', inJwt('dpop', { payload: { htm: 'GET' } })],
      ['JSON', 400, NOTIFICATION, asText('['), { reason: /JSON/ }],
      ['shape', 400, NOTIFICATION, inBody({ event: 'x' })],
      ['id', 400, 'invalid_notification_id', inBody({ notification_id: 'made-up' })],
    ])
  })
})
