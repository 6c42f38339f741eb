/**
 * A wallet whose work is reported: each operation with its time and what it ended with.
 *
 * Owns which operations are reported and under which labels: the operation, the agent, the outcome, a stable code.
 * Agents are named as in the configuration, because whoever runs them has to find them; verifiers, issuers and
 * types are not, because their names come with messages. Reasons of refusals are counted where they are written
 * down, in the journal.
 *
 * @module
 */
import type { AuthorizationAnswer, AuthorizationQuestion, ReceiveReply } from '@attache/agent'
import type { JsonObject, Telemetry } from '@attache/core'

/** The operations that are reported, as `Wallet` has them. */
interface Reported<Presented extends { readonly outcome: string }> {
  authorize(agent: string, question: AuthorizationQuestion): Promise<AuthorizationAnswer>
  receive(agent: string, offer: string, txCode?: string): Promise<ReceiveReply>
  request(agent: string, credentialIssuer: string, configurationIds: readonly string[]): Promise<ReceiveReply>
  finishAuthorization(agent: string, url: string): Promise<ReceiveReply>
  present(agent: string, request: string | JsonObject): Promise<Presented>
  maintain(): Promise<void>
}

/** The same operations, reported. */
export function observed<Presented extends { readonly outcome: string }>(
  wallet: Reported<Presented>,
  { telemetry }: { readonly telemetry: Telemetry },
): Reported<Presented> {
  const receiving = (agent: string, work: () => Promise<ReceiveReply>) =>
    telemetry.operation('wallet.receive', { agent }, async (note) => {
      const reply = await work()
      note({ outcome: reply.outcome, ...(reply.outcome === 'refused' ? { code: reply.code } : {}) })
      return reply
    })
  return {
    authorize: (agent, question) =>
      telemetry.operation('wallet.authorize', { agent }, async (note) => {
        const answer = await wallet.authorize(agent, question)
        note({ outcome: answer.outcome })
        return answer
      }),
    receive: (agent, offer, txCode) => receiving(agent, () => wallet.receive(agent, offer, txCode)),
    request: (agent, issuer, configurations) =>
      receiving(agent, () => wallet.request(agent, issuer, configurations)),
    finishAuthorization: (agent, url) => receiving(agent, () => wallet.finishAuthorization(agent, url)),
    present: (agent, request) =>
      telemetry.operation('wallet.present', { agent }, async (note) => {
        const reply = await wallet.present(agent, request)
        note({ outcome: reply.outcome })
        return reply
      }),
    maintain: () => telemetry.operation('wallet.maintain', {}, () => wallet.maintain()),
  }
}
