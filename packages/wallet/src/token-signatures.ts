/**
 * What a resource says about message signatures, as it is kept beside the token that was granted for it.
 *
 * Source: RFC 9421, sections 1.4 and 5; RFC 9728, section 2.
 *
 * @module
 */
import { isJsonArray, type JsonObject, type JsonValue, member, VerificationError } from '@attache/core'
import type { ProtectedResourceMetadata } from '@attache/oauth'
import type { TrustedVerifier } from './options.js'

/** How calls with a token are signed. */
export interface TokenSignatures {
  /** Calls are signed, covering these components beyond the profile's. Absent: they are not. */
  readonly requests?: { readonly components: readonly string[] }
  /** `jwks_uri` of the keys that sign answers. Absent: answers are not signed. */
  readonly responsesBy?: string
}

/**
 * Reads what the metadata says for a scope; without a scope, all of it.
 *
 * @throws {VerificationError} `answers_unsigned`: the configuration wants signed answers and the resource announces
 *   none, or no keys of its own origin that sign them.
 */
export function signaturesFor(
  metadata: ProtectedResourceMetadata,
  scope: string | undefined,
  verifier: Pick<TrustedVerifier, 'signedAnswers'>,
): TokenSignatures {
  const scopes = scope?.split(' ')
  const rules = (metadata.messageSignatures ?? []).filter((rule) => scopes?.includes(rule.scope) ?? true)
  const asked = rules.filter(({ requests }) => requests)
  const components = [...new Set(asked.flatMap((rule) => rule.components ?? []))]
  const signed = rules.some(({ responses }) => responses)
  if (!signed) requireNoneWanted(verifier)
  return {
    ...(asked.length === 0 ? {} : { requests: { components } }),
    ...(signed ? { responsesBy: keysOf(metadata) } : {}),
  }
}

/**
 * For a resource without metadata.
 *
 * @throws {VerificationError} `answers_unsigned`.
 */
export function requireNoneWanted({ signedAnswers }: Pick<TrustedVerifier, 'signedAnswers'>): void {
  if (signedAnswers !== 'required') return
  throw unsigned('The configuration wants signed answers, and this API does not announce them.')
}

function keysOf({ jwksUri, resource }: ProtectedResourceMetadata): string {
  if (jwksUri !== undefined && new URL(jwksUri).origin === new URL(resource).origin) return jwksUri
  throw unsigned('The API announces signed answers without keys of its own origin.')
}

function unsigned(message: string): VerificationError {
  return new VerificationError('answers_unsigned', message)
}

/** Writes it for a token's record. */
export function encodeTokenSignatures({ requests, responsesBy }: TokenSignatures): JsonObject {
  return {
    ...(requests === undefined ? {} : { signedComponents: [...requests.components] }),
    ...(responsesBy === undefined ? {} : { responsesBy }),
  }
}

/** Reads it from a token's record, where an older version wrote none. */
export function parseTokenSignatures(content: JsonObject): TokenSignatures {
  const components = member(content, 'signedComponents')
  const responsesBy = member(content, 'responsesBy')
  const texts = components !== undefined && isJsonArray(components) ? components.filter(isText) : undefined
  return {
    ...(texts === undefined ? {} : { requests: { components: texts } }),
    ...(typeof responsesBy === 'string' ? { responsesBy } : {}),
  }
}

const isText = (value: JsonValue): value is string => typeof value === 'string'
