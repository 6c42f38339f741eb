/**
 * A trust as one signed text, made where trust is administered and read where it counts.
 *
 * Owns both halves. Whoever can write the file cannot write the signature, and an older bundle is refused by its
 * version when it is handed to `reloadTrust`. A truncated or changed text is no trust at all.
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
  readonly trustedIssuers: readonly TrustedIssuer[]
  readonly walletAttesters?: readonly BundledAttester[] | undefined
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
 * @throws {TypeError} `trust_bundle_signature`: none of the keys has signed this text, or it is cut off or changed.
 * `trust_bundle`: the contents are malformed; the message says where. `anchor_malformed`.
 */
export function openTrustBundle(
  text: string,
  expected: { readonly keys: readonly PublicJwk[]; readonly algorithms: readonly JwsAlgorithm[] },
): TrustUpdate {
  const { version, trustedIssuers, walletAttesters } = parseTrustBundle(signedPayload(text, expected))
  const attesters = walletAttesters?.map(({ anchors, ...rest }, position) =>
    anchors === undefined
      ? rest
      : { ...rest, anchors: createAnchors(`walletAttesters[${position}].anchors`, anchors) },
  )
  return { version, trustedIssuers, ...(attesters === undefined ? {} : { walletAttesters: attesters }) }
}

function signedPayload(
  text: string,
  { keys, algorithms }: { readonly keys: readonly PublicJwk[]; readonly algorithms: readonly JwsAlgorithm[] },
): JsonObject {
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
