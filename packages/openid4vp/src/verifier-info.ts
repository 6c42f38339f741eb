/**
 * `verifier_info`: attestations about the verifier that travel with a request.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 5.11.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import { z } from 'zod'
import type { DcqlQuery } from './dcql-query.js'
import { wireObject } from './wire-object.js'

/** One attestation; unknown formats are carried and ignored. */
export interface VerifierInfo {
  readonly format: string
  /** An object or a text, as its format says. */
  readonly data: JsonObject | string
  /** Credential queries it speaks of; absent: all. */
  readonly credentialIds?: readonly string[] | undefined
}

const verifierInfoSchema = z
  .array(
    z.object({
      format: z.string().min(1),
      data: z.union([z.string(), z.record(z.string(), z.json())]),
      credential_ids: z.array(z.string()).min(1).optional(),
    }),
  )
  .min(1)

/**
 * Reads `verifier_info`.
 *
 * @param query The query whose ids `credential_ids` may name; absent with a scope.
 * @throws {ProtocolError} `invalid_request`: empty, malformed, or naming an unknown credential query.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function parseVerifierInfo(value: unknown, query: DcqlQuery | undefined): readonly VerifierInfo[] {
  const parsed = verifierInfoSchema.safeParse(value)
  if (!parsed.success) {
    throw new ProtocolError('invalid_request', 'verifier_info is malformed. Correct or leave it out.')
  }
  const known = query?.credentials.map(({ id }) => id)
  const named = parsed.data.flatMap(({ credential_ids }) => credential_ids ?? [])
  if (known !== undefined && named.some((id) => !known.includes(id))) {
    throw new ProtocolError(
      'invalid_request',
      'verifier_info names an unknown credential query. Name known ids.',
    )
  }
  return parsed.data.map(({ format, data, credential_ids }) => ({
    format,
    data,
    credentialIds: credential_ids,
  }))
}

/**
 * Writes one entry of `verifier_info`.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function encodeVerifierInfo(info: VerifierInfo): JsonObject {
  return wireObject({ format: info.format, data: info.data, credential_ids: info.credentialIds })
}
