/**
 * Credential templates: a credential type is a file, not code.
 *
 * Owns the template's form and its checks. Where the values come from is `claims-source.ts`, how a template
 * becomes a credential `issue-credential.ts`, how it is announced `issuer-metadata.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix A.3; SD-JWT VC -19, sections 3.2.2 and 4.
 *
 * @module
 */
import { type ClaimsPath, configurationError, type JsonObject, type JsonValue } from '@attache/core'
import type { Display, KeyAttestationRequirement } from '@attache/openid4vci'
import { parse as parseYaml } from 'yaml'
import { type ClaimsCheck, compileClaimsSchema } from './claims-schema.js'
import { parseTemplateDocument, type TemplateClaim, type TemplateDocument } from './template-document.js'

/**
 * A credential type as an issuer offers it.
 *
 * Source: SD-JWT VC -19, section 4; OpenID4VCI 1.0, Appendix A.3.
 */
export interface CredentialTemplate {
  /** `credential_configuration_id`. */
  readonly id: string
  /** Version of the template; kept in the register with each credential. */
  readonly version: number
  /** An https URL or a URN. */
  readonly vct: string
  readonly scope: string
  /** Most seconds from the (rounded) issue time to `exp`. */
  readonly lifetimeSeconds: number
  /** Times in credentials are rounded down to this many seconds. */
  readonly roundToSeconds: number
  /** Whether credentials carry a status list entry. */
  readonly status: boolean
  readonly name: string
  readonly description?: string | undefined
  readonly display: readonly Display[]
  readonly claims: readonly TemplateClaim[]
  /** `deferred`: somebody decides about each credential first. */
  readonly issuance: 'immediate' | 'deferred'
  readonly proofTypes: readonly ('jwt' | 'attestation')[]
  /** Present: a key attestation is demanded, and what it must state. */
  readonly keyAttestations?: KeyAttestationRequirement | undefined
  /** Judges the claims of one credential by the template's JSON Schema. */
  readonly checkClaims: ClaimsCheck
}

/** Claims with a meaning of their own in every credential; a template must not fill them. */
const RESERVED_CLAIMS = [
  'iss',
  'iat',
  'nbf',
  'exp',
  'cnf',
  'vct',
  'vct#integrity',
  'status',
  'sub',
  '_sd',
  '_sd_alg',
  '...',
]

/**
 * Reads a template file.
 *
 * @param text YAML (JSON is YAML too).
 * @param context.credentialIssuer A `vct` that starts with `/` continues this identifier.
 * @throws {TypeError} `template_malformed`: not YAML, an unknown or missing member, a claim twice.
 *   `template_reserved_claim`: a claim name that the credential format owns. `template_schema`: the JSON
 *   Schema does not compile.
 *
 * Source: SD-JWT VC -19, sections 3.2.2 and 4.
 */
export function parseCredentialTemplate(
  text: string,
  context: { readonly credentialIssuer: string },
): CredentialTemplate {
  const document = parseTemplateDocument(yamlValue(text))
  checkClaimNames(document)
  const base = context.credentialIssuer.replace(/\/$/, '')
  const vct = document.vct.startsWith('/') ? `${base}${document.vct}` : document.vct
  return {
    id: document.id,
    version: document.version,
    vct,
    scope: document.scope ?? vct,
    lifetimeSeconds: document.lifetimeDays * 86_400,
    roundToSeconds: document.roundTimesTo === 'hour' ? 3600 : 86_400,
    status: document.status,
    name: document.name,
    description: document.description,
    display: document.display,
    claims: document.claims,
    issuance: document.issuance,
    proofTypes: document.proofTypes,
    keyAttestations: document.keyAttestations,
    checkClaims: compileClaimsSchema(document.schema),
  }
}

/**
 * The claims of one credential, from the facts about its subject.
 *
 * @returns The claims, or the names of those that are mandatory and have no value.
 *
 * Source: OpenID4VCI 1.0, Appendix B.2 (`mandatory`).
 */
export function claimsFromFacts(
  template: CredentialTemplate,
  facts: JsonObject,
  select: (facts: JsonObject, path: ClaimsPath) => JsonValue | undefined,
): { readonly claims: JsonObject; readonly missing: readonly string[] } {
  const values = template.claims.map((claim) => ({ claim, value: select(facts, claim.from) }))
  const missing = values.filter(({ claim, value }) => claim.mandatory && value === undefined)
  const claims = values.flatMap(({ claim, value }) =>
    value === undefined ? [] : [[claim.name, value] as const],
  )
  return { claims: Object.fromEntries(claims), missing: missing.map(({ claim }) => claim.name) }
}

function yamlValue(text: string): unknown {
  try {
    return parseYaml(text, { maxAliasCount: 0 })
  } catch (cause) {
    const line = cause instanceof Error ? cause.message.split('\n')[0] : 'unreadable'
    throw configurationError('template_malformed', `The template is not YAML: ${line}`)
  }
}

function checkClaimNames(document: TemplateDocument): void {
  const names = document.claims.map((claim) => claim.name)
  const reserved = names.find((name) => RESERVED_CLAIMS.includes(name))
  if (reserved !== undefined) {
    throw configurationError(
      'template_reserved_claim',
      `The claim ${reserved} belongs to the credential format. Give the template's claim another name.`,
    )
  }
  if (new Set(names).size !== names.length) {
    throw configurationError('template_malformed', 'The template names a claim twice.')
  }
}
