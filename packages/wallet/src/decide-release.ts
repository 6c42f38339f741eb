/**
 * The release decision: the mandate under which an agent's wallet answers a verifier.
 *
 * Owns how a query is put before the policy decision port, twice: on the query, before any credential is
 * read, and on the exact disclosures. A query is cut down to what is allowed before it is matched, so that
 * the answer cannot depend on anything the agent's mandate does not cover.
 *
 * In a policy the question reads: principal `Agent`, action `present`, resource `Verifier` (its full Client
 * Identifier), and as context `vct`, `claims` (names; a path of several elements as JSON text), `stage`.
 *
 * Source: OpenID4VP 1.0, sections 15.1, 15.3 and 15.4.1; design of the runtime path, step 7.
 *
 * @module
 */
import type { ClaimsPath } from '@attache/core'
import type { ClaimsQuery, CredentialQuery, DcqlQuery } from '@attache/openid4vp'
import type { Pdp } from '@attache/policy'

/** Who asks whom, and for what. */
export interface ReleaseFacts {
  readonly agent: string
  /** Full Client Identifier of the authenticated verifier, or the authorization server where there is none. */
  readonly verifier: string
}

/** What the mandate says. */
export type ReleaseDecision<T> =
  | { readonly released: true; readonly value: T }
  | { readonly released: false; readonly code: string; readonly policies: readonly string[] }

/** The claims of one presentation about to be made. */
export interface IntendedDisclosure {
  readonly vct: string
  readonly paths: readonly ClaimsPath[]
}

/**
 * Cuts a query down to what the mandate covers.
 *
 * @returns The query with the allowed types and claim sets alone; refused when nothing of it is allowed.
 */
export async function decideOnQuery(
  facts: ReleaseFacts,
  query: DcqlQuery,
  deps: { readonly pdp: Pdp },
): Promise<ReleaseDecision<DcqlQuery>> {
  const cut = await Promise.all(query.credentials.map((credential) => cutDown(facts, credential, deps)))
  const credentials = cut.map(({ credential }) => credential)
  if (cut.some(({ allowed }) => allowed)) return { released: true, value: { ...query, credentials } }
  return {
    released: false,
    code: cut[0]?.code ?? 'no_rule',
    policies: cut.flatMap(({ policies }) => policies),
  }
}

async function cutDown(facts: ReleaseFacts, query: CredentialQuery, deps: { readonly pdp: Pdp }) {
  const options = claimOptions(query)
  const allowedBy = new Map<string, readonly number[]>()
  let code = 'no_rule'
  const policies: string[] = []
  for (const vct of query.vctValues) {
    const allowed: number[] = []
    for (const [at, option] of options.entries()) {
      const decision = await ask(
        { ...facts, vct, paths: option.map(({ path }) => path), stage: 'query' },
        deps,
      )
      if (decision.decision === 'allow') allowed.push(at)
      else {
        code = decision.reason
        policies.push(...decision.policies)
      }
    }
    if (allowed.length > 0) allowedBy.set(vct, allowed)
  }

  const vctValues = [...allowedBy.keys()]
  // A claim set stays only when it is allowed for every type that stays: which one is held must not show.
  const claimSets = query.claimSets?.filter((_, at) =>
    [...allowedBy.values()].every((allowed) => allowed.includes(at)),
  )
  const allowed = vctValues.length > 0 && (claimSets === undefined || claimSets.length > 0)
  const credential = {
    ...query,
    vctValues: allowed ? vctValues : [],
    claimSets: allowed ? claimSets : query.claimSets,
  }
  return { credential, allowed, code, policies }
}

function claimOptions(query: CredentialQuery): readonly (readonly ClaimsQuery[])[] {
  const claims = query.claims ?? []
  if (query.claimSets === undefined) return [claims]
  return query.claimSets.map((ids) => claims.filter(({ id }) => id !== undefined && ids.includes(id)))
}

/** Decides on exactly what is about to be disclosed. */
export async function decideOnDisclosures(
  facts: ReleaseFacts,
  intended: readonly IntendedDisclosure[],
  deps: { readonly pdp: Pdp },
): Promise<ReleaseDecision<undefined>> {
  for (const disclosure of intended) {
    const { decision, reason, policies } = await ask({ ...facts, ...disclosure, stage: 'disclosures' }, deps)
    if (decision !== 'allow') return { released: false, code: reason, policies }
  }
  return { released: true, value: undefined }
}

function ask(
  asked: ReleaseFacts & IntendedDisclosure & { readonly stage: 'query' | 'disclosures' },
  deps: { readonly pdp: Pdp },
) {
  return deps.pdp.decide({
    principal: { type: 'Agent', id: asked.agent },
    action: 'present',
    resource: { type: 'Verifier', id: asked.verifier },
    context: { vct: asked.vct, claims: asked.paths.map(claimName), stage: asked.stage },
  })
}

/**
 * The name of a claim in a policy: the name itself for a top-level claim, else the path as JSON text.
 *
 * An index counts as `null`: a mandate covers the elements of an array, not its third one.
 */
export function claimName(path: ClaimsPath): string {
  const [first] = path
  if (path.length === 1 && typeof first === 'string' && !first.startsWith('[')) return first
  return JSON.stringify(path.map((element) => (typeof element === 'number' ? null : element)))
}
