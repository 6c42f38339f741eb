/**
 * The members of a template file.
 *
 * Owns the strict reading: an unknown member is a mistake in a file that somebody wrote by hand. What the
 * members mean is `credential-template.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 *
 * @module
 */
import {
  type ClaimsPath,
  configurationError,
  isJsonObject,
  isJsonValue,
  type JsonObject,
  parseClaimsPath,
} from '@attache/core'
import type { Display, KeyAttestationRequirement } from '@attache/openid4vci'
import { z } from 'zod'

/**
 * One claim of a template.
 *
 * Source: OpenID4VCI 1.0, Appendix B.2.
 */
export interface TemplateClaim {
  /** Name of the claim in the credential. */
  readonly name: string
  /** Where the value stands in the facts of a subject. */
  readonly from: ClaimsPath
  /** A mandatory claim without a value stops the issuance. */
  readonly mandatory: boolean
  /** `always`: can be left out by the holder. `never`: every verifier sees it. */
  readonly selectivelyDisclosable: 'always' | 'never'
  readonly display?: readonly Display[] | undefined
}

/** A template file, read. */
export interface TemplateDocument {
  readonly id: string
  readonly version: number
  readonly vct: string
  readonly scope: string | undefined
  readonly lifetimeDays: number
  readonly roundTimesTo: 'day' | 'hour'
  readonly status: boolean
  readonly name: string
  readonly description: string | undefined
  readonly display: readonly Display[]
  readonly claims: readonly TemplateClaim[]
  readonly schema: JsonObject | undefined
  readonly issuance: 'immediate' | 'deferred'
  readonly proofTypes: readonly ('jwt' | 'attestation')[]
  readonly keyAttestations: KeyAttestationRequirement | undefined
}

/** Reads the members. @throws {TypeError} `template_malformed` with the path of the first mistake. */
export function parseTemplateDocument(value: unknown): TemplateDocument {
  const parsed = templateSchema().safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const path = issue?.path.join('.') ?? ''
    throw malformed(`${path === '' ? 'the top level' : path}: ${issue?.message ?? 'malformed'}`)
  }
  const { data } = parsed
  const { key_attestations: attestations } = data
  return {
    id: data.id,
    version: data.version,
    vct: data.vct,
    scope: data.scope,
    lifetimeDays: data.lifetime_days,
    roundTimesTo: data.round_times_to,
    status: data.status,
    name: data.name,
    description: data.description,
    display: data.display ?? [{ name: data.name }],
    claims: data.claims.map((entry) => ({
      name: entry.name,
      from: factPath(entry.from),
      mandatory: entry.mandatory,
      selectivelyDisclosable: entry.disclosable,
      display: entry.display,
    })),
    schema: jsonSchema(data.schema),
    issuance: data.issuance,
    proofTypes: data.proof_types,
    keyAttestations: attestations && {
      keyStorage: attestations.key_storage,
      userAuthentication: attestations.user_authentication,
    },
  }
}

function templateSchema() {
  const display = z.strictObject({
    name: z.string().min(1),
    locale: z.string().optional(),
    description: z.string().optional(),
  })
  const claim = z.strictObject({
    name: z.string().min(1),
    from: z.string().min(1),
    mandatory: z.boolean().default(false),
    disclosable: z.enum(['always', 'never']).default('always'),
    display: z.array(display).min(1).optional(),
  })
  const values = z.array(z.string().min(1)).min(1).optional()
  return z.strictObject({
    id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
    version: z.int().min(1),
    vct: z.string().min(1),
    scope: z
      .string()
      .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/)
      .optional(),
    lifetime_days: z.int().min(1).max(3650),
    round_times_to: z.enum(['day', 'hour']).default('day'),
    status: z.boolean().default(true),
    name: z.string().min(1),
    description: z.string().optional(),
    display: z.array(display).min(1).optional(),
    claims: z.array(claim).min(1),
    schema: z.unknown().optional(),
    issuance: z.enum(['immediate', 'deferred']).default('immediate'),
    proof_types: z
      .array(z.enum(['jwt', 'attestation']))
      .min(1)
      .default(['jwt']),
    key_attestations: z.strictObject({ key_storage: values, user_authentication: values }).optional(),
  })
}

/** `owner.region` -> the path of the fact. */
function factPath(text: string): ClaimsPath {
  const path = parseClaimsPath(text.split('.'))
  if (path === undefined || path.includes('')) throw malformed(`${text} is not a fact such as owner.region`)
  return path
}

function jsonSchema(value: unknown): JsonObject | undefined {
  if (value === undefined) return undefined
  if (!isJsonValue(value) || !isJsonObject(value)) throw malformed('schema: must be a JSON Schema object')
  return value
}

function malformed(what: string): TypeError {
  return configurationError('template_malformed', `The template is not usable at ${what}.`)
}
