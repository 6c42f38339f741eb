/**
 * What a verifier learned: the verified presentations, reduced to what was asked for.
 *
 * Owns the value that handlers, decisions and access tokens carry, and its way through JSON.
 *
 * Source: OpenID4VP 1.0, section 15.4 (data minimisation).
 *
 * @module
 */
import {
  type ClaimsPath,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  setMember,
} from '@attache/core'
import type { StatusReference } from '@attache/status-list'

/** One verified credential, as far as it was asked for. */
export interface PresentedCredential {
  /** Id of the credential query it answers. */
  readonly queryId: string
  /** Who was shown to have issued it; with a claim of identity, only the pair is unique. */
  readonly issuer: string
  /** The rule of the trust configuration that vouched; when it is gone, so is the credential. */
  readonly trust: string
  readonly vct: string
  /** Only claims that the query asked for. */
  readonly claims: JsonObject
  /** RFC 7638 thumbprint of the bound key; absent without holder binding. */
  readonly holderKey?: string | undefined
  /** Without holder binding anybody who saw it can present it again. */
  readonly replayable: boolean
  readonly status?: StatusReference | undefined
  /** NumericDate; absent when the credential does not expire. */
  readonly expiresAt?: number | undefined
  /** SHA-256 of the issuer-signed JWT: names the credential in logs without its contents. */
  readonly credentialHash: string
}

/** Everything that one response showed. */
export interface Presentation {
  /** Id of the transaction or challenge it answered. */
  readonly transaction: string
  readonly credentials: readonly PresentedCredential[]
  /** When it was judged; absent in records of the first release. */
  readonly presentedAt?: NumericDate | undefined
  /** How it was made, one of `PRESENTATION_CONTEXTS`; absent without holder binding. */
  readonly context?: string | undefined
}

/**
 * Keeps of all claims only those that concrete paths point to.
 *
 * @param paths Without `null`; array elements keep their order, not their index.
 */
export function projectClaims(claims: JsonObject, paths: readonly ClaimsPath[]): JsonObject {
  const projected = project(claims, paths)
  return isJsonObject(projected) ? projected : {}
}

function project(value: JsonValue, paths: readonly (readonly (string | number | null)[])[]): JsonValue {
  if (paths.some((path) => path.length === 0)) return withoutGaps(value)
  if (isJsonArray(value)) {
    return value.flatMap((element, index) => {
      const inside = paths.filter(([first]) => first === index)
      return inside.length === 0
        ? []
        : [
            project(
              element,
              inside.map(([, ...rest]) => rest),
            ),
          ]
    })
  }
  if (!isJsonObject(value)) return value
  const kept: Record<string, JsonValue> = {}
  for (const name of Object.keys(value)) {
    const inside = paths.filter(([first]) => first === name)
    const found = member(value, name)
    if (inside.length === 0 || found === undefined) continue
    setMember(
      kept,
      name,
      project(
        found,
        inside.map(([, ...rest]) => rest),
      ),
    )
  }
  return kept
}

// The gaps of hidden elements served for counting; what goes on to a handler has none.
function withoutGaps(value: JsonValue): JsonValue {
  if (isJsonArray(value)) return value.flatMap((element) => [withoutGaps(element)])
  if (!isJsonObject(value)) return value
  const kept: Record<string, JsonValue> = {}
  for (const [name, inner] of Object.entries(value)) setMember(kept, name, withoutGaps(inner))
  return kept
}

/** Writes a presentation as JSON, for a store or a token. */
export function encodePresentation(presentation: Presentation): JsonObject {
  return {
    v: 1,
    transaction: presentation.transaction,
    ...(presentation.presentedAt === undefined ? {} : { at: presentation.presentedAt }),
    ...(presentation.context === undefined ? {} : { context: presentation.context }),
    credentials: presentation.credentials.map((credential) => ({
      query: credential.queryId,
      iss: credential.issuer,
      trust: credential.trust,
      vct: credential.vct,
      claims: credential.claims,
      replayable: credential.replayable,
      hash: credential.credentialHash,
      ...(credential.holderKey === undefined ? {} : { holder: credential.holderKey }),
      ...(credential.expiresAt === undefined ? {} : { exp: credential.expiresAt }),
      ...(credential.status === undefined
        ? {}
        : { status: { uri: credential.status.uri, idx: credential.status.idx } }),
    })),
  }
}

/**
 * Reads what {@link encodePresentation} wrote.
 *
 * @returns Nothing for anything else, a higher `v` included.
 */
export function parsePresentation(value: JsonValue | undefined): Presentation | undefined {
  if (!isJsonObject(value) || member(value, 'v') !== 1) return undefined
  const transaction = member(value, 'transaction')
  const entries = member(value, 'credentials')
  if (typeof transaction !== 'string' || !isJsonArray(entries)) return undefined
  const credentials = entries.flatMap((entry) => parseCredential(entry) ?? [])
  if (credentials.length !== entries.length) return undefined
  const [at, context] = [member(value, 'at'), member(value, 'context')]
  return {
    transaction,
    credentials,
    ...(typeof at === 'number' ? { presentedAt: at } : {}),
    ...(typeof context === 'string' ? { context } : {}),
  }
}

function parseCredential(value: JsonValue): PresentedCredential | undefined {
  if (!isJsonObject(value)) return undefined
  const [queryId, issuer, vct] = ['query', 'iss', 'vct'].map((name) => member(value, name))
  const [credentialHash, trust] = ['hash', 'trust'].map((name) => member(value, name))
  const claims = member(value, 'claims')
  const holder = member(value, 'holder')
  const exp = member(value, 'exp')
  if (typeof queryId !== 'string' || typeof issuer !== 'string' || typeof vct !== 'string') return undefined
  if (typeof credentialHash !== 'string' || typeof trust !== 'string' || !isJsonObject(claims))
    return undefined
  const status = member(value, 'status')
  const reference = status === undefined ? undefined : parseReference(status)
  if (status !== undefined && reference === undefined) return undefined
  return {
    queryId,
    issuer,
    trust,
    vct,
    claims,
    credentialHash,
    replayable: member(value, 'replayable') === true,
    holderKey: typeof holder === 'string' ? holder : undefined,
    expiresAt: typeof exp === 'number' ? exp : undefined,
    status: reference,
  }
}

function parseReference(value: JsonValue): StatusReference | undefined {
  if (!isJsonObject(value)) return undefined
  const [uri, idx] = [member(value, 'uri'), member(value, 'idx')]
  return typeof uri === 'string' && typeof idx === 'number' ? { uri, idx } : undefined
}
