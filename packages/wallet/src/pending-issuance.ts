/**
 * Issuances under way: what must survive a restart, and nothing else.
 *
 * A union of stages. `authorization`: a person is at the authorization server. `token`: the token is there
 * and the credential not yet. `deferred`: the issuer asked us to come again. Each is a sealed record, and moves on
 * in the commit that keeps what was reached, so that a process that ends anywhere leaves one of them or the
 * credential.
 *
 * Source: OpenID4VCI 1.0, sections 5, 8.3 and 9; requirements/wallet-issuance.md, VCI-W-DEF-06.
 *
 * @module
 */
import { isJsonValue, type JsonValue, type NumericDate, type StoreStep } from '@attache/core'
import { z } from 'zod'
import type { IssuanceToken } from './issuance-token.js'
import type { Vault } from './vault.js'

interface AnyPending {
  readonly id: string
  readonly agent: string
  readonly credentialIssuer: string
  readonly authorizationServer: string
  readonly configurationIds: readonly string[]
  readonly createdAt: NumericDate
  /** After this time the issuance is given up. */
  readonly deadline: NumericDate
}

/** Waiting for the answer of an authorization server. */
export interface PendingAuthorization extends AnyPending {
  readonly stage: 'authorization'
  readonly state: string
  readonly codeVerifier: string
  readonly redirectUri: string
  readonly resource?: string | undefined
  readonly detailsRequested: boolean
}

/** A token was granted; the credential is still to be fetched. */
export interface PendingCredential extends AnyPending {
  readonly stage: 'token'
  readonly token: IssuanceToken
  /** How many of the credentials are kept, in the order of the plan. */
  readonly done?: number | undefined
  /** Keys made for the next one; of no use to whoever finds them after a restart. */
  readonly keyRefs?: readonly string[] | undefined
}

/** The issuer promised the credential for later. */
export interface PendingDeferred extends AnyPending {
  readonly stage: 'deferred'
  readonly token: IssuanceToken
  readonly transactionId: string
  readonly nextPollAt: NumericDate
  readonly keyRefs: readonly string[]
  /** A poll went out, and its answer never arrived here: the credential may be issued and gone. */
  readonly asking?: boolean | undefined
}

/** An issuance under way. */
export type PendingIssuance = PendingAuthorization | PendingCredential | PendingDeferred

/** A token stage this old was left by a process that ended; a younger one may still be at work. */
const LEFT_BEHIND_SECONDS = 60

/** When it is the turn of an issuance that waits for nobody but us. */
export function nextTurn(pending: PendingCredential | PendingDeferred): NumericDate {
  return pending.stage === 'deferred' ? pending.nextPollAt : pending.createdAt + LEFT_BEHIND_SECONDS
}

/** Access to issuances under way. */
export interface PendingIssuances {
  list(agent: string): Promise<readonly PendingIssuance[]>
  storing(pending: PendingIssuance): Promise<StoreStep>
  removing(pending: Pick<PendingIssuance, 'agent' | 'id'>): StoreStep
  commit(steps: readonly StoreStep[]): Promise<boolean>
  /** Does work on one of them; until it ends, nobody else in this process takes it for one that was left behind. */
  working<T>(id: string, work: () => Promise<T>): Promise<T>
  isAtWork(id: string): boolean
}

/** Makes the access. */
export function createPendingIssuances(deps: { readonly vault: Vault }): PendingIssuances {
  const { vault } = deps
  const atWork = new Set<string>()
  return {
    async working(id, work) {
      atWork.add(id)
      try {
        return await work()
      } finally {
        atWork.delete(id)
      }
    },
    isAtWork: (id) => atWork.has(id),
    async list(agent) {
      const records = await vault.list(agent, 'pending')
      return records.flatMap(({ content }) => parsePendingIssuance(agent, content) ?? [])
    },
    storing(pending) {
      const where = { agent: pending.agent, kind: 'pending', id: pending.id } as const
      return vault.writing(where, writePending(pending), { expiresAt: pending.deadline })
    },
    removing: ({ agent, id }) => vault.removing({ agent, kind: 'pending', id }),
    commit: (steps) => vault.commit(steps),
  }
}

function writePending(pending: PendingIssuance): JsonValue {
  const { agent: _place, ...rest } = pending
  const token =
    'token' in rest
      ? { token: { ...rest.token, credentialIdentifiers: [...rest.token.credentialIdentifiers] } }
      : {}
  const written: unknown = JSON.parse(JSON.stringify({ v: 1, ...rest, ...token }))
  return isJsonValue(written) ? written : null
}

/** @returns `undefined` for a record of another release, which is left alone. */
function parsePendingIssuance(agent: string, content: JsonValue): PendingIssuance | undefined {
  const text = z.string().min(1)
  const token = z.object({
    accessToken: text,
    expiresAt: z.number().optional(),
    refreshToken: text.optional(),
    scope: z.string().optional(),
    credentialIdentifiers: z.array(z.tuple([text, z.array(text)])).transform((entries) => new Map(entries)),
  })
  const any = {
    v: z.literal(1),
    id: text,
    credentialIssuer: text,
    authorizationServer: text,
    configurationIds: z.array(text).min(1),
    createdAt: z.number(),
    deadline: z.number(),
  }
  const parsed = z
    .discriminatedUnion('stage', [
      z.object({
        ...any,
        stage: z.literal('authorization'),
        state: text,
        codeVerifier: text,
        redirectUri: text,
        resource: text.optional(),
        detailsRequested: z.boolean(),
      }),
      z.object({
        ...any,
        stage: z.literal('token'),
        token,
        done: z.number().optional(),
        keyRefs: z.array(text).optional(),
      }),
      z.object({
        ...any,
        stage: z.literal('deferred'),
        token,
        transactionId: text,
        nextPollAt: z.number(),
        keyRefs: z.array(text),
        asking: z.boolean().optional(),
      }),
    ])
    .safeParse(content)
  if (!parsed.success) return undefined
  const { v: _version, ...pending } = parsed.data
  return { agent, ...pending }
}
