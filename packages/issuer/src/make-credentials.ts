/**
 * Making the credentials of one request: one for each key, with equal claims and nothing else in common.
 *
 * Owns times, claims and status of a credential. The format is `@attache/sd-jwt`; what is committed, and
 * with what, is the caller's.
 *
 * Source: OpenID4VCI 1.0, sections 3.3.2, 8.3, 14.6 and 15.4.1; RFC 9901, section 10.1; HAIP 1.0, section 6.1.
 *
 * @module
 */
import { type JsonObject, type NumericDate, type Random, randomId, type StoreStep } from '@attache/core'
import type { PublicJwk, Signer } from '@attache/keys'
import { issueSdJwtVc } from '@attache/sd-jwt'
import { type StatusLists, type StatusReference, statusClaim } from '@attache/status-list'
import type { CredentialTemplate } from './credential-template.js'
import { type RegisterEntry, registerSteps } from './register-entry.js'
import type { RecordKeys } from './stored-record.js'

/** What one request is to be given. */
export interface CredentialOrder {
  readonly template: CredentialTemplate
  readonly agent: string
  readonly owner: string
  readonly claims: JsonObject
  /** Keys to bind to; empty for a credential without a holder key. */
  readonly holderKeys: readonly PublicJwk[]
  /** The facts end then, whatever the template says. */
  readonly until: NumericDate | undefined
  readonly now: NumericDate
}

/** What making credentials needs. */
export interface MakeCredentialsDeps {
  /** `iss`; undefined where the certificate's subject is the issuer (HAIP 6.1.1). */
  readonly iss: string | undefined
  readonly signer: Signer
  readonly statusLists: Pick<StatusLists, 'propose'>
  readonly random: Random
  readonly keys: RecordKeys
}

/** Finished credentials and the steps without which they must not be handed out. */
export interface MadeCredentials {
  readonly credentials: readonly string[]
  readonly steps: readonly StoreStep[]
  readonly entries: readonly RegisterEntry[]
}

/** Makes the credentials. Fewer than a day or hour of life left: none can be made, the caller refuses. */
export async function makeCredentials(
  order: CredentialOrder,
  deps: MakeCredentialsDeps,
): Promise<MadeCredentials> {
  const { template } = order
  const times = credentialTimes(order)
  const count = Math.max(order.holderKeys.length, 1)
  const proposal = template.status
    ? await deps.statusLists.propose({ expiresAt: times.exp, count })
    : { references: [], steps: [] }

  const credentials: string[] = []
  const entries: RegisterEntry[] = []
  for (let nth = 0; nth < count; nth += 1) {
    const reference = proposal.references[nth]
    credentials.push(await makeOne(order, { times, reference, holderKey: order.holderKeys[nth] }, deps))
    entries.push(entryOf(order, { times, reference }, deps))
  }
  const steps = [...proposal.steps, ...entries.flatMap((entry) => registerSteps(entry, deps.keys))]
  return { credentials, steps, entries }
}

interface Times {
  readonly iat: NumericDate
  readonly exp: NumericDate
}

/**
 * Rounded down, so that the times of two credentials say nothing about who got them: never ahead of now, and
 * never past the end of the facts.
 */
export function credentialTimes(order: Pick<CredentialOrder, 'template' | 'until' | 'now'>): Times {
  const { roundToSeconds, lifetimeSeconds } = order.template
  const down = (time: NumericDate): NumericDate => Math.floor(time / roundToSeconds) * roundToSeconds
  const iat = down(order.now)
  return { iat, exp: Math.min(iat + lifetimeSeconds, down(order.until ?? Number.MAX_SAFE_INTEGER)) }
}

function makeOne(
  order: CredentialOrder,
  parts: {
    readonly times: Times
    readonly reference: StatusReference | undefined
    readonly holderKey: PublicJwk | undefined
  },
  deps: MakeCredentialsDeps,
): Promise<string> {
  const { template } = order
  const claims = {
    ...order.claims,
    ...(deps.iss === undefined ? {} : { iss: deps.iss }),
    vct: template.vct,
    iat: parts.times.iat,
    exp: parts.times.exp,
    ...(parts.reference === undefined ? {} : { status: statusClaim(parts.reference) }),
  }
  const disclosable = template.claims
    .filter((claim) => claim.selectivelyDisclosable === 'always' && Object.hasOwn(order.claims, claim.name))
    .map((claim) => [claim.name] as const)
  const holderKey = parts.holderKey === undefined ? {} : { holderKey: parts.holderKey }
  return issueSdJwtVc({ claims, disclosable, ...holderKey }, { signer: deps.signer, random: deps.random })
}

function entryOf(
  order: CredentialOrder,
  { times, reference }: { readonly times: Times; readonly reference: StatusReference | undefined },
  deps: MakeCredentialsDeps,
): RegisterEntry {
  return {
    v: 1,
    id: randomId(deps.random, 'crd'),
    agent: order.agent,
    owner: order.owner,
    template: order.template.id,
    templateVersion: order.template.version,
    status: reference === undefined ? null : { uri: reference.uri, idx: reference.idx },
    issuedAt: times.iat,
    expiresAt: times.exp,
  }
}
