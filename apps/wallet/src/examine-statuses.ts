/**
 * Can the status of what is held be read right now?
 *
 * A credential whose list cannot be had is used as it was last seen; its revocation would go unseen, and the
 * operator should know before a verifier says so.
 *
 * Source: Token Status List, section 8.3.
 *
 * @module
 */
import type { Finding } from '@attache/agent'
import { type Clock, VerificationError } from '@attache/core'
import type { Wallet } from '@attache/wallet'

/** What looking needs. */
export interface ExamineStatusesDeps {
  readonly wallet: Pick<Wallet, 'refresh' | 'overview'>
  readonly clock: Clock
}

/** Looks at the status list of every credential that has one. */
export async function examineStatuses(
  agents: readonly string[],
  { wallet, clock }: ExamineStatusesDeps,
): Promise<readonly Finding[]> {
  const since = clock()
  const found = await Promise.all(
    agents.map(async (agent) => {
      try {
        await wallet.refresh(agent)
        const { credentials } = await wallet.overview(agent)
        return credentials
          .filter(({ hasStatusList }) => hasStatusList)
          .map(({ id, lookedAt }) => findingOf(`status:${agent}:${id}`, (lookedAt ?? 0) >= since))
      } catch (error) {
        // The one whose records were damaged is what a doctor is asked about, and the others are well.
        if (error instanceof VerificationError) return [unreadable(agent, error.code)]
        throw error
      }
    }),
  )
  return found.flat()
}

function unreadable(agent: string, code: string): Finding {
  const message = `Its records cannot be read (${code}), and nothing is presented. Restore the whole data folder.`
  return { check: `records:${agent}`, outcome: 'failed', message }
}

function findingOf(check: string, read: boolean): Finding {
  if (read) return { check, outcome: 'ok', message: 'Its status list was read just now.' }
  const message =
    'Its status list cannot be read, so a revocation would go unseen. Check the host of the list, trustedCertificates and statusAnchors.'
  return { check, outcome: 'warning', message }
}
