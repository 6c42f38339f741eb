/**
 * Laws that hold for every message of the room: what one half makes the other half reads as it was meant;
 * every single change is refused or ignored, as its row says; nothing from outside is a fault.
 *
 * @module
 */
import { type JsonObject, type JsonValue, ProtocolError } from '@attache/core'
import {
  createAnchors,
  createSoftwareSigner,
  generateDecryptionKey,
  generatePrivateJwk,
  signJws,
} from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CredentialAuthorizationDetail,
  makeCredentialAuthorizationDetail,
  parseCredentialAuthorizationDetail,
} from './credential-authorization-detail.js'
import type { CredentialConfiguration, ProofTypeRules } from './credential-configuration.js'
import { type CredentialOffer, makeCredentialOffer, parseCredentialOffer } from './credential-offer.js'
import { makeCredentialOfferUri, parseCredentialOfferUri } from './credential-offer-uri.js'
import {
  type CredentialRequest,
  makeCredentialRequest,
  parseCredentialRequest,
} from './credential-request.js'
import {
  type CredentialResponse,
  makeCredentialResponse,
  parseCredentialResponse,
} from './credential-response.js'
import {
  makeDeferredCredentialRequest,
  parseDeferredCredentialRequest,
} from './deferred-credential-request.js'
import type { Display } from './display.js'
import { OPENID4VCI_ERRORS, OPENID4VCI_REFUSALS } from './errors.js'
import { makeIssuerMetadata, parseIssuerMetadata } from './issuer-metadata.js'
import type { IssuerMetadata } from './issuer-metadata-document.js'
import { verifyKeyAttestation } from './key-attestation.js'
import { verifyKeyProof } from './key-proof.js'
import {
  decryptCredentialRequest,
  encryptCredentialRequest,
  makeResponseEncryption,
  parseResponseEncryption,
} from './message-encryption.js'
import { makeNonceResponse, parseNonceResponse } from './nonce.js'
import { makeNotificationRequest, parseNotificationRequest } from './notification.js'
import { verifySignedMetadata } from './signed-metadata.js'

const RUNS = { seed: 11, numRuns: 150 }
const ISSUER = 'https://issuer.example/acme'
const key = generateDecryptionKey({ kid: 'enc-1' })
const offered = { algValues: ['ECDH-ES'], encValues: ['A128GCM', 'A256GCM'], required: false }
const encryption = { jwk: key.publicJwk, enc: 'A256GCM' } as const

// ---- any message, as a value ----

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 24 })
const words = fc.string({ unit: 'binary', maxLength: 24 })
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const texts = fc.uniqueArray(text, { minLength: 1, maxLength: 3 })
const url = fc.webUrl({ validSchemes: ['https'], withQueryParameters: true })
const identifier = fc.constantFrom(ISSUER, 'https://Issuer.example:8443/', 'https://h', 'https://h/%7Ea/b/')
const image = fc.webUrl({ validSchemes: ['https', 'http'] })

const offer: fc.Arbitrary<CredentialOffer> = fc.record({
  credentialIssuer: identifier,
  credentialConfigurationIds: texts,
  grants: optional(
    fc.record({
      authorizationCode: optional(
        fc.record({ issuerState: optional(text), authorizationServer: optional(text) }),
      ),
      preAuthorizedCode: optional(
        fc.record({
          preAuthorizedCode: text,
          txCode: optional(
            fc.record({
              inputMode: fc.constantFrom('numeric' as const, 'text' as const),
              length: optional(fc.integer({ min: 1, max: 64 })),
              description: optional(words),
            }),
          ),
          authorizationServer: optional(text),
        }),
      ),
    }),
  ),
})

const display = (name: fc.Arbitrary<string | undefined>): fc.Arbitrary<readonly Display[]> =>
  fc.uniqueArray(
    fc.record({
      name,
      locale: fc.constantFrom(undefined, 'en', 'de-DE', 'zh-Hant-TW'),
      description: optional(words),
      logo: optional(fc.record({ uri: image, altText: optional(words) })),
      backgroundImage: optional(fc.record({ uri: image })),
      backgroundColor: fc.constantFrom(undefined, '#12107c', 'white', 'rgb(1, 2, 3)'),
      textColor: fc.constantFrom(undefined, '#fff'),
    }),
    { minLength: 1, maxLength: 3, selector: (entry) => entry.locale },
  )
const claims = fc.uniqueArray(
  fc.record({
    path: fc.tuple(text, fc.constant('x')),
    mandatory: optional(fc.boolean()),
    display: optional(display(optional(words))),
  }),
  { minLength: 1, maxLength: 3, selector: (claim) => claim.path[0] },
)
const level = fc.constantFrom('iso_18045_high', 'iso_18045_basic', 'https://acme.example/tier/1')
const levels = fc.uniqueArray(level, { minLength: 1 })
const proofRules: fc.Arbitrary<ProofTypeRules> = fc.record({
  signingAlgorithms: texts,
  keyAttestations: optional(
    fc.record({ keyStorage: optional(levels), userAuthentication: optional(levels) }),
  ),
})
const binding = fc.oneof(
  fc.constant({ bindingMethods: undefined, proofTypes: undefined }),
  fc.record({
    bindingMethods: texts,
    proofTypes: fc.oneof(
      fc.record({ jwt: proofRules, attestation: optional(proofRules) }),
      fc.record({ attestation: proofRules }),
    ),
  }),
)
const configuration: fc.Arbitrary<CredentialConfiguration> = fc
  .record({
    vct: text,
    scope: fc.constantFrom(undefined, 'role', 'https://credentials.example/scope/role'),
    signingAlgorithms: optional(texts),
    display: optional(display(text)),
    claims: optional(claims),
  })
  .chain((facts) => binding.map((bound) => ({ ...facts, ...bound })))
const encValues = fc.constantFrom(['A128GCM'], ['A256GCM', 'A128GCM'])
const encryptionBlocks = fc.oneof(
  fc.constant({}),
  fc.record({
    requestEncryption: fc.record({
      jwks: fc.constant([key.publicJwk]),
      encValues,
      required: fc.boolean(),
    }),
    responseEncryption: optional(
      fc.record({ algValues: fc.constant(['ECDH-ES']), encValues, required: fc.boolean() }),
    ),
  }),
)
const metadata: fc.Arbitrary<IssuerMetadata> = fc
  .record({
    credentialIssuer: identifier,
    authorizationServers: optional(fc.array(url, { minLength: 1, maxLength: 2 })),
    credentialEndpoint: url,
    nonceEndpoint: optional(url),
    deferredCredentialEndpoint: optional(url),
    notificationEndpoint: optional(url),
    batchSize: optional(fc.integer({ min: 2, max: 100 })),
    display: optional(display(optional(words))),
    credentialConfigurations: fc
      .uniqueArray(fc.tuple(fc.oneof(text, fc.constantFrom('__proto__', 'constructor')), configuration), {
        maxLength: 3,
        selector: ([id]) => id,
      })
      .map((entries) => new Map(entries)),
  })
  .chain((facts) => encryptionBlocks.map((blocks) => ({ ...facts, ...blocks })))

const request: fc.Arbitrary<CredentialRequest> = fc.record({
  wanted: fc.oneof(
    fc.record({ by: fc.constant('configuration' as const), credentialConfigurationId: text }),
    fc.record({ by: fc.constant('identifier' as const), credentialIdentifier: text }),
  ),
  proofs: optional(
    fc.oneof(
      fc.record({ type: fc.constant('jwt'), values: fc.array(text, { minLength: 1, maxLength: 3 }) }),
      fc.record({ type: fc.constant('attestation'), values: fc.tuple(text) }),
    ),
  ),
  responseEncryption: fc.constantFrom(undefined, makeResponseEncryption(encryption)),
})
const response: fc.Arbitrary<CredentialResponse> = fc.oneof(
  fc.record({
    state: fc.constant('issued' as const),
    credentials: fc.array(text, { minLength: 1, maxLength: 3 }),
    notificationId: optional(text),
  }),
  fc.record({
    state: fc.constant('pending' as const),
    transactionId: text,
    interval: fc.integer({ min: 1, max: 86_400 }),
  }),
)
const notification = fc.record({
  notificationId: text,
  event: fc.constantFrom(
    'credential_accepted' as const,
    'credential_failure' as const,
    'credential_deleted' as const,
  ),
  eventDescription: optional(fc.stringMatching(/^[\x20\x21\x23-\x5b\x5d-\x7e]{0,24}$/)),
})
const detail: fc.Arbitrary<CredentialAuthorizationDetail> = fc.record({
  credentialConfigurationId: text,
  locations: optional(texts),
  claims: optional(claims),
  credentialIdentifiers: optional(texts),
})

/** As the other side receives it: through the text that travels. */
const overTheWire = (body: JsonValue): unknown => JSON.parse(JSON.stringify(body))

describe('what one half makes, the other half reads as it was meant', () => {
  const law = <T>(messages: fc.Arbitrary<T>, travel: (message: T) => unknown) =>
    fc.assert(
      fc.property(messages, (message) => {
        expect(travel(message)).toEqual(message)
      }),
      RUNS,
    )

  test('credential offers and the links that carry them', () => {
    law(offer, (message) => parseCredentialOffer(overTheWire(makeCredentialOffer(message))))
    law(
      fc.oneof(
        fc.record({ by: fc.constant('value' as const), offer }),
        fc.record({ by: fc.constant('reference' as const), credentialOfferUri: url }),
      ),
      (message) => parseCredentialOfferUri(makeCredentialOfferUri(message)),
    )
  })

  test('issuer metadata', () => {
    law(metadata, (message) => parseIssuerMetadata(overTheWire(makeIssuerMetadata(message)), message))
  })

  test('nonces, requests, responses, notifications, authorization details', () => {
    law(fc.record({ cNonce: text }), (message) => parseNonceResponse(overTheWire(makeNonceResponse(message))))
    law(request, (message) => parseCredentialRequest(overTheWire(makeCredentialRequest(message))))
    law(response, (message) => {
      const { status, body } = makeCredentialResponse(message)
      return parseCredentialResponse(status, overTheWire(body))
    })
    law(
      fc.record({ transactionId: text, responseEncryption: fc.constantFrom(undefined, { a: 1 }) }),
      (message) => parseDeferredCredentialRequest(overTheWire(makeDeferredCredentialRequest(message))),
    )
    law(notification, (message) => parseNotificationRequest(overTheWire(makeNotificationRequest(message))))
    law(detail, (message) =>
      parseCredentialAuthorizationDetail(overTheWire(makeCredentialAuthorizationDetail(message))),
    )
  })

  test('encrypted requests', async () => {
    const opened = { keys: [key], encs: ['A256GCM'] as const }
    await fc.assert(
      fc.asyncProperty(request, async (message) => {
        const body = makeCredentialRequest(message)
        const jwe = await encryptCredentialRequest(body, { ...offered, jwks: [key.publicJwk] })
        expect(parseCredentialRequest(await decryptCredentialRequest(jwe, opened))).toEqual(message)
      }),
      { ...RUNS, numRuns: 25 },
    )
  })
})

// ---- every single change ----

/** One message with all its members, and what its rows say about each of them. */
interface Specimen {
  readonly name: string
  readonly wire: JsonObject
  readonly parse: (value: unknown) => unknown
  /** What a refusal may be called. */
  readonly codes: readonly string[]
  /** Members that may be left out. Elements of arrays stand as `*`. */
  readonly optional: readonly string[]
  /** Members whose value decides nothing: whatever it is, the message is read. */
  readonly ignored?: RegExp
  /** Values of another kind that are fine. */
  readonly fine?: Readonly<Record<string, readonly JsonValue[]>>
  /** Objects in which every member means something, or whose content is passed on unread. */
  readonly closed?: readonly string[]
}

const rules = {
  signingAlgorithms: ['ES256'],
  keyAttestations: { keyStorage: ['a:b'], userAuthentication: ['a:c'] },
}
const CONFIGURATIONS = 'credential_configurations_supported'
const ROLE = `${CONFIGURATIONS}.role_v1`
const PRE_AUTHORIZED = 'grants.urn:ietf:params:oauth:grant-type:pre-authorized_code'
const empty: readonly JsonValue[] = [{}, { a: 1 }]

const specimens: readonly Specimen[] = [
  {
    name: 'a credential offer',
    wire: makeCredentialOffer({
      credentialIssuer: ISSUER,
      credentialConfigurationIds: ['role_v1'],
      grants: {
        authorizationCode: { issuerState: 's', authorizationServer: 'https://as.example' },
        preAuthorizedCode: {
          preAuthorizedCode: 'c',
          txCode: { inputMode: 'text', length: 6, description: 'd' },
          authorizationServer: 'https://as.example',
        },
      },
    }),
    parse: parseCredentialOffer,
    codes: ['invalid_offer'],
    optional: [
      'grants',
      'grants.authorization_code',
      'grants.authorization_code.issuer_state',
      'grants.authorization_code.authorization_server',
      PRE_AUTHORIZED,
      `${PRE_AUTHORIZED}.tx_code`,
      `${PRE_AUTHORIZED}.tx_code.input_mode`,
      `${PRE_AUTHORIZED}.tx_code.length`,
      `${PRE_AUTHORIZED}.tx_code.description`,
      `${PRE_AUTHORIZED}.authorization_server`,
    ],
    fine: {
      grants: empty,
      'grants.authorization_code': empty,
      [`${PRE_AUTHORIZED}.tx_code`]: empty,
      [`${PRE_AUTHORIZED}.tx_code.description`]: [''],
    },
  },
  {
    name: 'issuer metadata',
    wire: makeIssuerMetadata({
      credentialIssuer: ISSUER,
      authorizationServers: ['https://as.example'],
      credentialEndpoint: 'https://issuer.example/c',
      nonceEndpoint: 'https://issuer.example/n',
      deferredCredentialEndpoint: 'https://issuer.example/d',
      notificationEndpoint: 'https://issuer.example/e',
      batchSize: 3,
      requestEncryption: { jwks: [key.publicJwk], encValues: ['A256GCM'], required: false },
      responseEncryption: { algValues: ['ECDH-ES'], encValues: ['A256GCM'], required: false },
      display: [{ name: 'Acme', locale: 'en', logo: { uri: 'https://acme.example/l', altText: 'a' } }],
      credentialConfigurations: new Map([
        [
          'role_v1',
          {
            vct: 'urn:x',
            scope: 's',
            signingAlgorithms: ['ES256'],
            bindingMethods: ['jwk'],
            proofTypes: { jwt: rules, attestation: rules },
            display: [{ name: 'Role' }],
            claims: [{ path: ['role'] as const, mandatory: true }],
          },
        ],
      ]),
    }),
    parse: (value) => parseIssuerMetadata(value, { credentialIssuer: ISSUER }),
    codes: ['metadata', 'issuer_mismatch'],
    optional: [
      'authorization_servers',
      'nonce_endpoint',
      'deferred_credential_endpoint',
      'notification_endpoint',
      'batch_credential_issuance',
      'credential_request_encryption',
      'credential_response_encryption',
      ROLE,
      `${ROLE}.scope`,
      ...['jwt', 'attestation'].flatMap((type) => [
        `${ROLE}.proof_types_supported.${type}`,
        `${ROLE}.proof_types_supported.${type}.key_attestations_required`,
        `${ROLE}.proof_types_supported.${type}.key_attestations_required.key_storage`,
        `${ROLE}.proof_types_supported.${type}.key_attestations_required.user_authentication`,
      ]),
    ],
    ignored: /(^|\.)(display|credential_metadata|credential_signing_alg_values_supported|keys\.\*)(\.|$)/,
    fine: {
      'credential_request_encryption.jwks.keys': [[], [1]],
      'credential_request_encryption.encryption_required': [true],
      'credential_response_encryption.encryption_required': [true],
      [CONFIGURATIONS]: [{}],
      [`${ROLE}.proof_types_supported`]: empty,
      [`${ROLE}.proof_types_supported.jwt.key_attestations_required`]: empty,
      [`${ROLE}.proof_types_supported.attestation.key_attestations_required`]: empty,
    },
    closed: [CONFIGURATIONS],
  },
  {
    name: 'a nonce response',
    wire: makeNonceResponse({ cNonce: 'n' }),
    parse: parseNonceResponse,
    codes: ['response'],
    optional: [],
  },
  {
    name: 'a credential request',
    wire: makeCredentialRequest({
      wanted: { by: 'identifier', credentialIdentifier: 'ds-1' },
      proofs: { type: 'jwt', values: ['a.b.c', 'd.e.f'] },
      responseEncryption: makeResponseEncryption(encryption),
    }),
    parse: parseCredentialRequest,
    codes: ['invalid_credential_request'],
    optional: ['proofs', 'proofs.jwt'],
    ignored: /^credential_response_encryption/,
    fine: { proofs: [{}], 'proofs.jwt': [[]] },
    closed: ['proofs', 'credential_response_encryption', 'credential_response_encryption.jwk'],
  },
  {
    name: 'encryption parameters',
    wire: makeResponseEncryption(encryption),
    parse: (value) =>
      parseResponseEncryption(value === undefined ? null : JSON.parse(JSON.stringify(value)), offered),
    codes: ['invalid_encryption_parameters'],
    optional: ['jwk.kid', 'jwk.use'],
    fine: { 'jwk.kid': [''] },
  },
  {
    name: 'a credential response',
    wire: makeCredentialResponse({ state: 'issued', credentials: ['a~', 'b~'], notificationId: 'n' }).body,
    parse: (value) => parseCredentialResponse(200, value),
    codes: ['response'],
    optional: ['notification_id'],
  },
  {
    name: 'a pending credential response',
    wire: makeCredentialResponse({ state: 'pending', transactionId: 't', interval: 5 }).body,
    parse: (value) => parseCredentialResponse(202, value),
    codes: ['response'],
    optional: [],
  },
  {
    name: 'a deferred credential request',
    wire: makeDeferredCredentialRequest({
      transactionId: 't',
      responseEncryption: makeResponseEncryption(encryption),
    }),
    parse: parseDeferredCredentialRequest,
    codes: ['invalid_credential_request'],
    optional: [],
    ignored: /^credential_response_encryption/,
    closed: ['credential_response_encryption', 'credential_response_encryption.jwk'],
  },
  {
    name: 'a notification request',
    wire: makeNotificationRequest({
      notificationId: 'n',
      event: 'credential_accepted',
      eventDescription: 'd',
    }),
    parse: parseNotificationRequest,
    codes: ['invalid_notification_request'],
    optional: ['event_description'],
    fine: { event_description: [''] },
  },
  {
    name: 'an authorization detail',
    wire: makeCredentialAuthorizationDetail({
      credentialConfigurationId: 'role_v1',
      locations: [ISSUER],
      claims: [
        { path: ['role'], mandatory: true, display: [{ name: 'Role' }] },
        { path: ['region'], mandatory: false },
      ],
      credentialIdentifiers: ['ds-1'],
    }),
    parse: parseCredentialAuthorizationDetail,
    codes: ['invalid_authorization_details'],
    optional: ['locations', 'claims', 'claims.*.mandatory', 'credential_identifiers'],
    ignored: /^claims\.\*\.display/,
    fine: { 'claims.*.mandatory': [true], 'claims.*.path.*': [''] },
  },
]

/** OpenID4VCI 1.0, sections 4.1.1, 5.1.1, 6.2, 7.2, 8, 9, 11.1, 12.2.4 and Appendix B; RFC 7517 and RFC 7518. */
const STANDARD_MEMBERS: readonly string[] = [
  ...['credential_issuer', 'credential_configuration_ids', 'grants', 'authorization_code', 'issuer_state'],
  ...['urn:ietf:params:oauth:grant-type:pre-authorized_code', 'pre-authorized_code', 'authorization_server'],
  ...['tx_code', 'input_mode', 'length', 'description'],
  ...['authorization_servers', 'credential_endpoint', 'nonce_endpoint', 'deferred_credential_endpoint'],
  ...['notification_endpoint', 'batch_credential_issuance', 'batch_size', 'credential_request_encryption'],
  ...['credential_response_encryption', 'jwks', 'keys', 'enc_values_supported', 'alg_values_supported'],
  ...['encryption_required', 'display', 'name', 'locale', 'logo', 'uri', 'alt_text'],
  ...['credential_configurations_supported', 'format', 'vct', 'scope', 'credential_metadata', 'claims'],
  ...['credential_signing_alg_values_supported', 'cryptographic_binding_methods_supported'],
  ...['proof_types_supported', 'jwt', 'attestation', 'proof_signing_alg_values_supported'],
  ...['key_attestations_required', 'key_storage', 'user_authentication', 'path', 'mandatory'],
  ...['c_nonce', 'credential_configuration_id', 'credential_identifier', 'proofs', 'jwk', 'enc'],
  ...[
    'credentials',
    'credential',
    'notification_id',
    'transaction_id',
    'interval',
    'event',
    'event_description',
  ],
  ...['type', 'locations', 'credential_identifiers', 'kty', 'crv', 'x', 'y', 'kid', 'use', 'alg'],
]

type Place = readonly (string | number)[]

function placesOf(value: JsonValue, at: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return at.length === 0 ? [] : [at]
  const inner = Object.entries(value).flatMap(([name, below]) =>
    placesOf(below, [...at, Array.isArray(value) ? Number(name) : name]),
  )
  return at.length === 0 ? inner : [at, ...inner]
}

/** The value with another one at a place; undefined takes the member away. */
function changed(value: JsonValue, place: Place, put: JsonValue | undefined): JsonValue {
  const [first, ...rest] = place
  if (first === undefined || typeof value !== 'object' || value === null) return put ?? null
  const entries = Object.entries(value).flatMap(([name, below]): [string, JsonValue][] => {
    if (name !== String(first)) return [[name, below]]
    if (rest.length > 0) return [[name, changed(below, rest, put)]]
    return put === undefined ? [] : [[name, put]]
  })
  return Array.isArray(value) ? entries.map(([, below]) => below) : Object.fromEntries(entries)
}

function valueAt(value: JsonValue, place: Place): JsonValue | undefined {
  return place.reduce<JsonValue | undefined>(
    (current, step) =>
      typeof current === 'object' && current !== null
        ? Object.entries(current).find(([name]) => name === String(step))?.[1]
        : undefined,
    value,
  )
}

const nameOf = (place: Place): string =>
  place.map((step) => (typeof step === 'number' ? '*' : step)).join('.')
const isObjectAt = (wire: JsonObject, place: Place): boolean => {
  const value = valueAt(wire, place)
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
const OTHER_KINDS: readonly JsonValue[] = [null, true, -1.5, '', [], {}, [1], { a: 1 }]
const DESCRIPTION = /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/

/** What became of a message: read, or refused with one of its codes in words that may travel. Else a fault. */
function outcome<T>(
  { parse, codes }: { readonly parse: (value: T) => unknown; readonly codes: readonly string[] },
  value: T,
): string {
  try {
    parse(value)
    return 'read'
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    if (!codes.includes(error.code) || !DESCRIPTION.test(error.message)) throw error
    return 'refused'
  }
}

describe('every single change of', () => {
  test.each(specimens)('$name is refused or ignored, as its rows say', (specimen) => {
    const { wire, optional, ignored, fine = {} } = specimen
    const surprises: string[] = []
    const expectOutcome = (place: Place, put: JsonValue | undefined, wanted: boolean) => {
      const got = outcome(specimen, changed(wire, place, put))
      if (got !== (wanted ? 'read' : 'refused')) {
        surprises.push(`${nameOf(place)} ${put === undefined ? 'left out' : JSON.stringify(put)}: ${got}`)
      }
    }
    for (const place of placesOf(wire)) {
      const name = nameOf(place)
      const free = ignored?.test(name) === true
      if (typeof place.at(-1) === 'string') expectOutcome(place, undefined, free || optional.includes(name))
      for (const put of OTHER_KINDS) {
        const accepted = fine[name]?.some((value) => JSON.stringify(value) === JSON.stringify(put))
        expectOutcome(place, put, free || accepted === true)
      }
    }
    expect(surprises).toEqual([])
    expect(outcome(specimen, wire)).toBe('read')
  })

  test.each(specimens)(
    '$name: a further member is ignored wherever it stands [IOP-C-08]',
    ({ wire, parse, closed = [] }) => {
      const plain = parse(wire)
      const objects = [[], ...placesOf(wire).filter((place) => isObjectAt(wire, place))]
      for (const place of objects.filter((each) => !closed.includes(nameOf(each)))) {
        for (const name of ['foo', '__proto__', 'constructor', 'toString']) {
          const value = JSON.parse(JSON.stringify(wire))
          const target = place.reduce((current, step) => current[step], value)
          Object.defineProperty(target, name, { value: { a: 1 }, enumerable: true })
          expect(parse(value)).toEqual(plain)
        }
      }
    },
  )

  test.each(specimens)('$name: nothing from outside is a fault', (specimen) => {
    const { wire } = specimen
    const places = placesOf(wire)
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.nat({ max: places.length - 1 }), (json, index) => {
        const put: JsonValue = JSON.parse(JSON.stringify(json))
        expect(outcome(specimen, put)).toMatch(/^(read|refused)$/)
        expect(outcome(specimen, changed(wire, places[index] ?? [], put))).toMatch(/^(read|refused)$/)
      }),
      { ...RUNS, numRuns: 300 },
    )
    for (const value of [undefined, null, [], '', 0]) expect(outcome(specimen, value)).toBe('refused')
  })

  test('no maker writes a member that the standard does not have [IOP-C-08]', () => {
    const written = new Set(specimens.flatMap(({ wire }) => placesOf(wire).flat()))
    const names = [...written].filter((step) => typeof step === 'string')
    // The id of the configuration is the only name of our own.
    expect(names.filter((name) => !STANDARD_MEMBERS.includes(name))).toEqual(['role_v1'])
  })

  test('their codes stand in the tables', () => {
    const known = [...Object.keys(OPENID4VCI_ERRORS), ...OPENID4VCI_REFUSALS, 'invalid_authorization_details']
    expect(specimens.flatMap(({ codes }) => codes).filter((code) => !known.includes(code))).toEqual([])
    expect(Object.values(OPENID4VCI_ERRORS).every((status) => status === 400)).toBe(true)
  })
})

describe('signed and encrypted texts from outside', () => {
  const NOW = 1_790_000_000
  const anchors = createAnchors('anyone', [])
  const algorithms = ['ES256'] as const
  const keyAttestation = { anchors, algorithms, demanded: false }
  const readers: readonly (readonly [string, string, (text: string) => unknown])[] = [
    [
      'key proofs',
      'invalid_proof',
      (jwt) =>
        verifyKeyProof(
          jwt,
          {
            audience: ISSUER,
            algorithms,
            maxAgeSeconds: 300,
            nonce: 'required',
            clientId: undefined,
            keyAttestation,
          },
          NOW,
        ),
    ],
    [
      'key attestations',
      'invalid_proof',
      (jwt) => verifyKeyAttestation(jwt, { anchors, algorithms, expiry: 'required' }, NOW),
    ],
    [
      'signed metadata',
      'metadata_signature',
      (jwt) => verifySignedMetadata(jwt, { credentialIssuer: ISSUER, anchors, algorithms }, NOW),
    ],
    ['offer links', 'invalid_offer', parseCredentialOfferUri],
  ]
  const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
  const part = fc.dictionary(
    fc.constantFrom(
      'typ',
      'jwk',
      'kid',
      'x5c',
      'key_attestation',
      'aud',
      'iat',
      'nonce',
      'sub',
      'attested_keys',
    ),
    fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('openid4vci-proof+jwt', ISSUER, NOW)),
  )

  test.each(readers)('%s are refused with %s, never a fault', async (_, code, parse) => {
    const specimen = { parse, codes: [code] }
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.base64String()), (any) => {
        expect(outcome(specimen, any)).toBe('refused')
      }),
      RUNS,
    )
    await fc.assert(
      fc.asyncProperty(part, part, async (header, payload) => {
        const jwk = { ...signer.publicJwk }
        const input = {
          header: JSON.parse(JSON.stringify({ jwk, ...header })),
          payload: JSON.parse(JSON.stringify(payload)),
        }
        expect(outcome(specimen, await signJws(input, signer))).toBe('refused')
      }),
      { ...RUNS, numRuns: 60 },
    )
  })

  test('encrypted requests are refused, never a fault', async () => {
    const good = await encryptCredentialRequest({ a: 1 }, { ...offered, jwks: [key.publicJwk] })
    const open = (jwe: string) => decryptCredentialRequest(jwe, { keys: [key], encs: ['A256GCM'] })
    await expect(open(good)).resolves.toEqual({ a: 1 })
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length - 1 }),
        fc.constantFrom('A', '.', '*', ''),
        async (at, put) => {
          const jwe = `${good.slice(0, at)}${put}${good.slice(at + 1)}`
          fc.pre(jwe !== good)
          await expect(open(jwe)).rejects.toMatchObject({ code: 'invalid_credential_request' })
        },
      ),
      RUNS,
    )
  })
})
