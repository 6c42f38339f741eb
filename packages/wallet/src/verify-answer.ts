/**
 * Whether an answer is what the API signed, for the call that the agent made.
 *
 * Source: RFC 9421, sections 2.4 and 3.2; requirements/sender-constraint.md, HMS-R-01 to HMS-R-04.
 *
 * @module
 */
import type { MessageParts, ResponseReport } from '@attache/agent'
import { type NumericDate, VerificationError } from '@attache/core'
import type { PublicJwk } from '@attache/keys'
import { verifySignedResponse } from '@attache/oauth'
import type { AccessTokens } from './access-tokens.js'
import { verifierOf } from './authorize-call.js'
import type { Explanations } from './explanations.js'
import type { TrustedVerifier, WalletAgent, WalletOptions } from './options.js'
import type { ResourceKeys } from './resource-keys.js'
import { contentOf } from './sign-call.js'

/** What verifying needs. */
export interface VerifyAnswerDeps {
  readonly options: WalletOptions
  readonly explanations: Explanations
  readonly tokens: AccessTokens
  readonly resourceKeys: ResourceKeys
}

/** A token may have ended while its call was under way. */
const LATE_SECONDS = 60

/** Tells the agent yes or no; the reason of a no is in the journal. */
export async function isSigned(
  facts: { readonly agent: WalletAgent; readonly report: ResponseReport; readonly now: NumericDate },
  deps: VerifyAnswerDeps,
): Promise<boolean> {
  const { agent, report, now } = facts
  const verifier = verifierOf(report.url, deps.options)
  // Nothing was sent there with a token, so nothing is asked.
  if (verifier === undefined) return false
  try {
    await verifyAnswer({ agent: agent.id, report, verifier, now }, deps)
    return true
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    const about = { api: new URL(report.url).origin, method: report.method, status: String(report.status) }
    const refused = {
      event: 'present',
      outcome: 'refused',
      code: error.code,
      message: error.message,
    } as const
    await deps.explanations.record({ agent: agent.id, ...refused, facts: about }, now)
    return false
  }
}

async function verifyAnswer(
  facts: {
    readonly agent: string
    readonly report: ResponseReport
    readonly verifier: TrustedVerifier
    readonly now: NumericDate
  },
  deps: VerifyAnswerDeps,
): Promise<void> {
  const { agent, report, verifier, now } = facts
  const token = await deps.tokens.find(agent, { url: report.url }, now - LATE_SECONDS)
  const jwksUri = token?.signatures.responsesBy
  if (jwksUri === undefined) {
    throw new VerificationError('response_signature', 'This API announced no signed answers.')
  }
  const where = { jwksUri, verifier }
  try {
    judge(report, await deps.resourceKeys.of(where, now), now)
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    // Perhaps by a key that is newer than what is known.
    judge(report, await deps.resourceKeys.of({ ...where, fresher: true }, now), now)
  }
}

function judge(report: ResponseReport, keys: readonly PublicJwk[], now: NumericDate): void {
  const { method, url, status } = report
  const request = { method, url, headers: fieldsOf(report.request) }
  const headers = fieldsOf(report.response)
  const body = contentOf(report.response.body)
  verifySignedResponse({ status, headers, body, request }, { keys, required: ['dpop;req'] }, now)
}

function fieldsOf({ headers }: MessageParts): readonly (readonly [string, string])[] {
  return Object.entries(headers)
}
