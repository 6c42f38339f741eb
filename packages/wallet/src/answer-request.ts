/**
 * Answering one authenticated request: decide, choose, decide again, spend, present.
 *
 * Owns the order, which is the protection: the mandate is asked before any credential is read, and again on
 * the exact disclosures; a copy is spent before its presentation exists. Whether a credential is missing, a
 * value differs, or the mandate says no, the verifier gets the same answer; the reason goes to the operator.
 * Who asks was made sure before; how the answer travels is for the routes.
 *
 * Source: OpenID4VP 1.0, sections 6.4, 8.1, 14.2 and 15; design of the runtime path, step 7.
 *
 * @module
 */
import { type JsonObject, type NumericDate, ProtocolError } from '@attache/core'
import type { KeyProvider } from '@attache/keys'
import type { AuthorizationRequest, DcqlQuery, VpToken } from '@attache/openid4vp'
import type { Pdp } from '@attache/policy'
import { presentSdJwtVc } from '@attache/sd-jwt'
import {
  decideOnTransactionData,
  hashesByQuery,
  readTransactionData,
  type TransactionDataType,
} from './agree-transaction-data.js'
import { type Chosen, choose } from './choose-credentials.js'
import { claimName, decideOnDisclosures, decideOnQuery, type ReleaseFacts } from './decide-release.js'
import type { HeldCredentials } from './held-credentials.js'
import type { OwnStatus } from './own-status.js'

/** One request, authenticated. */
export interface RequestFacts extends ReleaseFacts {
  readonly request: AuthorizationRequest
  /** `aud` of every KB-JWT. */
  readonly audience: string
  readonly now: NumericDate
}

/** What answering needs. */
export interface AnswerDeps {
  readonly pdp: Pdp
  readonly held: HeldCredentials
  readonly status: OwnStatus
  readonly keysOf: (agent: string) => KeyProvider
  readonly options: { readonly transactionDataTypes?: readonly TransactionDataType[] }
}

/** Presentations, or a refusal whose reason stays here. */
export type RequestAnswer =
  | {
      readonly kind: 'presented'
      readonly vpToken: VpToken
      readonly facts: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'denied'
      readonly code: string
      readonly message: string
      readonly facts: Readonly<Record<string, string>>
    }

/**
 * Answers a request.
 *
 * @throws {ProtocolError} A defect of the request: `invalid_scope`, `invalid_transaction_data`,
 *   `vp_formats_not_supported`.
 */
export async function answerRequest(facts: RequestFacts, deps: AnswerDeps): Promise<RequestAnswer> {
  const query = requireSupported(facts.request)
  const entries = readTransactionData(facts.request, query, deps.options.transactionDataTypes ?? [])
  const asked = queryFacts(query)
  const decision = await decideOnQuery(facts, query, deps)
  if (!decision.released) {
    return denied(
      { code: decision.code, message: 'The release policy does not cover what this verifier asks for.' },
      asked,
      decision.policies,
    )
  }
  const agreed = await decideOnTransactionData(facts, entries, deps)
  if (!agreed.released) {
    const message = 'The release policy does not cover the transaction data of this verifier.'
    return denied({ code: agreed.code, message }, asked, agreed.policies)
  }

  const choice = await choose(facts, decision.value, deps)
  const hashes =
    choice &&
    hashesByQuery(
      entries,
      choice.map(({ selection }) => selection.queryId),
    )
  if (choice === undefined || hashes === undefined) {
    return denied(
      { code: 'no_credential', message: 'No usable credential of this agent answers the query.' },
      asked,
    )
  }
  const intended = choice.map(({ selection, held }) => ({ vct: held.vct, paths: selection.paths }))
  const final = await decideOnDisclosures(facts, intended, deps)
  if (!final.released) {
    return denied(
      { code: final.code, message: 'The release policy does not cover these disclosures.' },
      asked,
      final.policies,
    )
  }

  const vpToken = await present({ ...facts, hashes }, choice, deps)
  if (vpToken === undefined)
    return denied({ code: 'no_copy_left', message: 'Every copy of the credential is used up.' }, asked)
  return { kind: 'presented', vpToken, facts: disclosureFacts(choice) }
}

function requireSupported(request: AuthorizationRequest): DcqlQuery {
  if (request.dcqlQuery === undefined) {
    throw new ProtocolError('invalid_scope', 'No presentation is defined for this scope. Send a dcql_query.')
  }
  const formats = request.dcqlQuery.credentials.map(({ format }) => format)
  const keyBinding = request.clientMetadata?.sdJwt?.keyBindingAlgorithms
  const agreed = request.clientMetadata === undefined || request.clientMetadata.sdJwt !== undefined
  if (
    !agreed ||
    !formats.includes('dc+sd-jwt') ||
    (keyBinding !== undefined && !keyBinding.includes('ES256'))
  ) {
    throw new ProtocolError('vp_formats_not_supported', 'This wallet presents dc+sd-jwt with ES256 alone.')
  }
  return request.dcqlQuery
}

interface AgreedFacts extends RequestFacts {
  /** KB-JWT members by query. */
  readonly hashes: ReadonlyMap<string, JsonObject>
}

async function present(
  facts: AgreedFacts,
  choice: readonly Chosen[],
  deps: AnswerDeps,
): Promise<VpToken | undefined> {
  const vpToken = new Map<string, readonly string[]>()
  for (const { selection, held } of choice) {
    const copy = await deps.held.takeCopy(facts.agent, held)
    if (copy === undefined) return undefined
    const members = facts.hashes.get(selection.queryId)
    const binding = copy.keyRef === undefined ? 'none' : await bindTo(facts, copy.keyRef, deps)
    const keyBinding = binding === 'none' || members === undefined ? binding : { ...binding, members }
    const presentation = await presentSdJwtVc(copy.credential, { disclose: selection.paths, keyBinding })
    vpToken.set(selection.queryId, [...(vpToken.get(selection.queryId) ?? []), presentation])
  }
  return vpToken
}

async function bindTo({ agent, audience, request, now }: RequestFacts, keyRef: string, deps: AnswerDeps) {
  const signer = await deps.keysOf(agent).signer(keyRef)
  return { audience, nonce: request.nonce, issuedAt: now, signer }
}

function queryFacts(query: DcqlQuery): Readonly<Record<string, string>> {
  const claims = query.credentials.flatMap(({ claims = [] }) => claims.map(({ path }) => claimName(path)))
  return {
    vct: query.credentials.flatMap(({ vctValues }) => vctValues).join(' '),
    claims: [...new Set(claims)].join(' '),
  }
}

function disclosureFacts(choice: readonly Chosen[]): Readonly<Record<string, string>> {
  return {
    vct: choice.map(({ held }) => held.vct).join(' '),
    credential: choice.map(({ held }) => held.id).join(' '),
    claims: choice.flatMap(({ selection }) => selection.paths.map(claimName)).join(' '),
  }
}

function denied(
  reason: { readonly code: string; readonly message: string },
  facts: Readonly<Record<string, string>>,
  policies: readonly string[] = [],
): RequestAnswer {
  return {
    kind: 'denied',
    ...reason,
    facts: policies.length === 0 ? facts : { ...facts, policies: policies.join(' ') },
  }
}
