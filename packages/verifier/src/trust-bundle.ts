/**
 * A trust as one signed text, made where trust is administered and read where it counts.
 *
 * Owns both halves. Whoever can write the file cannot write the signature, and an older bundle is refused by its
 * version when it is handed to `reloadTrust`. A truncated or changed text is no trust at all. A process that starts
 * remembers no version: what must not be put back over a restart is kept by the host and handed in.
 *
 * Source: threat model, row 10; RFC 7515, section 3.
 *
 * @module
 */
import { configurationError, type JsonObject, VerificationError } from '@attache/core'
import {
  createAnchors,
  type JwsAlgorithm,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
  verifyJws,
} from '@attache/keys'
import type { TrustedAttester } from '@attache/oauth'
import { z } from 'zod'
import type { TrustedIssuer } from './issuer-trust.js'
import type { TrustUpdate } from './trust-source.js'

const TYP = 'attache-trust+jwt'
const MOST_BYTES = 1_048_576

/** An attester as a bundle names it: by certificates, or by keys. */
export interface BundledAttester {
  readonly name: string
  /** PEM. */
  readonly anchors?: readonly string[] | undefined
  readonly keys?: readonly PublicJwk[] | undefined
  readonly issuer?: string | undefined
  /** The clients this attester may speak for. */
  readonly clients: TrustedAttester['clients']
}

/** What a bundle holds. */
export interface TrustBundle {
  readonly version: number
  /** For which verifiers it is meant, by any name they agree on; a verifier of another name does not open it. @default any */
  readonly audience?: string | undefined
  readonly trustedIssuers: readonly TrustedIssuer[]
  readonly walletAttesters?: readonly BundledAttester[] | undefined
}

/** What a verifier expects of a bundle. */
export interface ExpectedTrustBundle {
  readonly keys: readonly PublicJwk[]
  readonly algorithms: readonly JwsAlgorithm[]
  readonly audience?: string | undefined
  readonly lowestVersion?: number | undefined
}

/** Signs a bundle. */
export function signTrustBundle(bundle: TrustBundle, signer: Signer): Promise<string> {
  const payload: JsonObject = JSON.parse(JSON.stringify({ v: 1, ...bundle }))
  return signJws({ header: { typ: TYP, kid: signer.kid }, payload }, signer)
}

/**
 * Opens a bundle, for `reloadTrust`.
 *
 * @param expected.keys Of those who administer trust; one of them must have signed.
 * @param expected.audience The name under which bundles are made for this verifier: one key may administer the trust
 * of a test and of production. @default bundles without an audience alone
 * @param expected.lowestVersion The last version that counted, where the host remembers it. @default any
 * @throws {TypeError} `trust_bundle_signature`: none of the keys has signed this text, or it is cut off or changed.
 * `trust_bundle`: the contents are malformed; the message says where. `trust_bundle_audience`: it is meant for others.
 * `trust_rollback`: it is older than the lowest version. `anchor_malformed`.
 */
export function openTrustBundle(text: string, expected: ExpectedTrustBundle): TrustUpdate {
  const bundle = parseTrustBundle(signedPayload(text, expected))
  const { version, trustedIssuers, walletAttesters } = bundle
  refuseMisplaced(bundle, expected)
  const attesters = walletAttesters?.map(({ anchors, ...rest }, position) =>
    anchors === undefined
      ? rest
      : { ...rest, anchors: createAnchors(`walletAttesters[${position}].anchors`, anchors) },
  )
  return { version, trustedIssuers, ...(attesters === undefined ? {} : { walletAttesters: attesters }) }
}

function refuseMisplaced(
  { version, audience }: TrustBundle,
  { audience: own, lowestVersion = 0 }: ExpectedTrustBundle,
): void {
  if (audience !== own) {
    throw configurationError(
      'trust_bundle_audience',
      'The trust bundle is made for other verifiers than this one.',
    )
  }
  if (version < lowestVersion) {
    throw configurationError(
      'trust_rollback',
      `The trust bundle is older than version ${lowestVersion}, which counted before.`,
    )
  }
}

function signedPayload(text: string, { keys, algorithms }: ExpectedTrustBundle): JsonObject {
  const opened = keys.flatMap((key) => {
    try {
      const jws = parseJws(text.trim(), { maxBytes: MOST_BYTES })
      verifyJws(jws, { typ: TYP, algorithms, key })
      return [jws.payload]
    } catch (error) {
      if (error instanceof VerificationError) return []
      throw error
    }
  })
  const [payload] = opened
  if (payload !== undefined) return payload
  throw configurationError(
    'trust_bundle_signature',
    'The trust bundle is not whole, or none of the given keys has signed it.',
  )
}

function parseTrustBundle(value: JsonObject): TrustBundle {
  const text = z.string().min(1)
  const pem = z.array(text).min(1)
  const keys = z.array(z.unknown().transform(publicJwk)).min(1)
  const issuer = z.strictObject({
    vct: z.union([text, z.array(text).min(1)]),
    anchors: pem.optional(),
    keys: keys.optional(),
    discovery: z
      .union([z.literal('jwt-vc-issuer'), z.literal('did'), z.strictObject({ jwksUri: text })])
      .optional(),
    issuer: text.optional(),
    statusAnchors: pem.optional(),
    requireIssBinding: z.boolean().optional(),
  })
  const client = z.union([z.strictObject({ is: text }), z.strictObject({ startsWith: text })])
  const attester = z.strictObject({
    name: text,
    anchors: pem.optional(),
    keys: keys.optional(),
    issuer: text.optional(),
    clients: z.union([z.literal('any'), z.array(client)]),
  })
  const parsed = z
    .strictObject({
      v: z.literal(1),
      version: z.number().int().nonnegative(),
      audience: text.optional(),
      trustedIssuers: z.array(issuer).min(1),
      walletAttesters: z.array(attester).optional(),
    })
    .safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw configurationError(
    'trust_bundle',
    `The trust bundle is wrong at ${issue?.path.join('.') ?? 'the top'}.`,
  )
}

function publicJwk(value: unknown): PublicJwk {
  try {
    return parsePublicJwk(value)
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw configurationError(
      'trust_bundle',
      'The trust bundle holds a key that is malformed, private or weak.',
    )
  }
}
