/**
 * What a resource says about message signatures in its metadata: which calls it wants signed, and whether it
 * signs its answers.
 *
 * RFC 9728 has a word for the keys (`jwks_uri`) and algorithms (`resource_signing_alg_values_supported`) of signed
 * answers and none for signed requests, so this member is ours and carries our name. It goes by scope, because the
 * scope is what a client knows of a route before it calls. `Accept-Signature` in a 401 says the same for one call.
 *
 * Source: RFC 9728, section 2 (further members are allowed); RFC 9421, sections 1.4 and 5.
 *
 * @module
 */
import type { JsonValue } from '@attache/core'
import { z } from 'zod'
import { jsonMembers, malformedAnswer } from './message-members.js'
import { parseComponent } from './signature-components.js'

/** Name of the member. */
export const MESSAGE_SIGNATURES_MEMBER = 'attache_message_signatures'

/** How calls under one scope are signed. */
export interface MessageSignatureRule {
  readonly scope: string
  /** Whether requests must be signed by the key of the access token. */
  readonly requests: boolean
  /** What their signature covers beyond the profile, as `idempotency-key`. */
  readonly components?: readonly string[] | undefined
  /** Whether answers are signed, by a key of `jwks_uri`. */
  readonly responses: boolean
}

/** Writes the member; nothing where nothing is signed. */
export function encodeMessageSignatures(
  rules: readonly MessageSignatureRule[] | undefined,
): JsonValue | undefined {
  if (rules === undefined || rules.length === 0) return undefined
  return rules.map(({ scope, requests, components, responses }) => {
    const further = components === undefined || components.length === 0 ? undefined : [...components]
    return jsonMembers({ scope, requests, components: further, responses })
  })
}

const rules = z
  .array(
    z.looseObject({
      scope: z.string().min(1),
      requests: z.boolean(),
      components: z.array(z.string().refine(isComponentText)).max(64).optional(),
      responses: z.boolean(),
    }),
  )
  .max(256)

/**
 * Reads the member.
 *
 * @returns Nothing when it is not there.
 * @throws {VerificationError} `answer_malformed`: a client that cannot read how to sign must not guess.
 */
export function parseMessageSignatures(value: unknown): readonly MessageSignatureRule[] | undefined {
  if (value === undefined) return undefined
  const parsed = rules.safeParse(value)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  return parsed.data.map(({ scope, requests, components, responses }) => ({
    scope,
    requests,
    components,
    responses,
  }))
}

function isComponentText(text: string): boolean {
  try {
    parseComponent(text)
    return true
  } catch {
    return false
  }
}
