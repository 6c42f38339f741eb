/**
 * Decisions by Cedar policies, checked against their schema when they are loaded.
 *
 * Every policy carries an `@id`, because decisions name the policies that made them. Beyond Cedar's own rules
 * an error denies: Cedar skips a `forbid` that fails to evaluate, which would switch a prohibition off.
 *
 * Cedar lives in WebAssembly that is loaded with the first of these; policy sets are parsed once and stay in it
 * until the process ends, so make one per configuration, not one per request.
 *
 * Source: Cedar policy language 4, documentation of @cedar-policy/cedar-wasm 4.13.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { configurationError, type JsonObject, type JsonValue } from '@attache/core'
import type { Entities, Schema, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs'
import { z } from 'zod'
import { toCedarContext } from './cedar-context.js'
import { factsReadBy } from './cedar-reads.js'
import {
  combine,
  type FactPath,
  type Pdp,
  POLICY_REASONS,
  type PolicyDecision,
  type PolicyRequest,
} from './decision.js'

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs')

/** What Cedar decides by. */
export interface CedarPdpOptions {
  /** Cedar policy text; each policy with `@id("…")`, no templates. */
  readonly policies: string
  /** Cedar schema, as text or as JSON. Requests that do not fit it are denied. */
  readonly schema: string | JsonObject
  /** Entities in Cedar's JSON form: groups, attributes. Handed to every decision; keep them few. */
  readonly entities?: readonly JsonValue[]
}

/**
 * Creates a decision port over Cedar policies. Actions are entities of the type `Action`.
 *
 * @throws {TypeError} `cedar_schema_invalid`, `cedar_policies_invalid`, `cedar_entities_invalid`: the message
 *   says what Cedar found.
 */
export async function createCedarPdp(options: CedarPdpOptions): Promise<Pdp> {
  const cedar = await import('@cedar-policy/cedar-wasm/nodejs')
  const schema = parseSchema(options.schema, cedar)
  const entities = parseEntities(options.entities ?? [], schema, cedar)
  const { policies, reads } = parsePolicies(options.policies, schema, cedar)

  // Named by content: the same text loaded again takes its own place.
  const name = createHash('sha256')
    .update(JSON.stringify([schema, policies]))
    .digest('base64url')
  refuseFailure(cedar.preparseSchema(name, schema), 'cedar_schema_invalid')
  refuseFailure(cedar.preparsePolicySet(name, { staticPolicies: policies }), 'cedar_policies_invalid')
  const prepared = { preparsedSchemaName: name, preparsedPolicySetId: name, validateRequest: true, entities }

  return {
    reads,
    async decide(request) {
      try {
        return decideByCedar(request, prepared, cedar)
      } catch {
        return { decision: 'deny', policies: [], reason: POLICY_REASONS.policyError }
      }
    },
  }
}

type Prepared = Omit<StatefulAuthorizationCall, 'principal' | 'action' | 'resource' | 'context'>

function decideByCedar(request: PolicyRequest, prepared: Prepared, cedar: Cedar): PolicyDecision {
  const answer = cedar.statefulIsAuthorized({
    ...prepared,
    principal: { type: request.principal.type, id: request.principal.id },
    action: { type: 'Action', id: request.action },
    resource: { type: request.resource.type, id: request.resource.id },
    context: toCedarContext(request.context),
  })
  if (answer.type === 'failure') return { decision: 'deny', policies: [], reason: POLICY_REASONS.policyError }

  const { decision, diagnostics } = answer.response
  return combine({
    allowing: decision === 'allow' ? diagnostics.reason : [],
    denying: decision === 'deny' ? diagnostics.reason : [],
    failing: diagnostics.errors.map(({ policyId }) => policyId),
  })
}

function parseSchema(schema: string | JsonObject, cedar: Cedar): Schema {
  const parsed = z.custom<Schema>().parse(schema)
  refuseFailure(cedar.checkParseSchema(parsed), 'cedar_schema_invalid')
  return parsed
}

function parseEntities(entities: readonly JsonValue[], schema: Schema, cedar: Cedar): Entities {
  const parsed = z.custom<Entities>().parse(entities)
  refuseFailure(cedar.checkParseEntities({ entities: parsed, schema }), 'cedar_entities_invalid')
  return parsed
}

function parsePolicies(
  text: string,
  schema: Schema,
  cedar: Cedar,
): { readonly policies: Record<string, string>; readonly reads: readonly FactPath[] } {
  const code = 'cedar_policies_invalid'
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'failure') throw invalid(code, parts.errors)
  if (parts.policy_templates.length > 0) throw invalid(code, [{ message: 'templates are not supported' }])

  const policies: Record<string, string> = {}
  const bodies: JsonValue[] = []
  for (const part of parts.policies) {
    const policy = cedar.policyToJson(part)
    if (policy.type === 'failure') throw invalid(code, policy.errors)
    const id = policy.json.annotations?.['id']
    if (id === undefined || id === '') throw invalid(code, [{ message: 'a policy has no @id' }])
    if (Object.hasOwn(policies, id)) throw invalid(code, [{ message: `two policies have the id ${id}` }])
    // The text, not the JSON: JSON numbers lose digits of a Cedar Long.
    policies[id] = part
    bodies.push(z.json().parse(policy.json.conditions))
  }

  const validated = cedar.validate({ schema, policies: { staticPolicies: policies } })
  if (validated.type === 'failure') throw invalid(code, validated.errors)
  const [found] = validated.validationErrors
  if (found !== undefined) throw invalid(code, [{ message: `${found.policyId}: ${found.error.message}` }])
  return { policies, reads: factsReadBy(bodies) }
}

function refuseFailure(
  answer: { readonly type: 'success' } | { readonly type: 'failure'; readonly errors: readonly Found[] },
  code: string,
): void {
  if (answer.type === 'failure') throw invalid(code, answer.errors)
}

interface Found {
  readonly message: string
}

const invalid = (code: string, errors: readonly Found[]) =>
  configurationError(
    code,
    `Cedar does not take the configuration: ${errors.map(({ message }) => message).join('; ')}.`,
  )
