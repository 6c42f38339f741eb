/**
 * `attache wallet …`: asking an issuer without an offer, and what came in by itself and waits.
 *
 * @module
 */
import type { Command } from 'commander'
import { type Common, command, received, run } from './run-command.js'
import { describeInbox, describeVisits } from './wallet-output.js'

/** Adds the commands. */
export function addIntake(wallet: Command): void {
  command(wallet, 'request <issuer>', 'ask an issuer for credentials that nobody offered; a login decides')
    .requiredOption('--agent <id>', 'agent that is to hold the credential')
    .requiredOption('--configuration <id...>', 'credential configuration of the issuer')
    .action((issuer: string, options: Common & { agent: string; configuration: readonly string[] }) =>
      run(options, async (client) =>
        received(
          await client.request({ agent: options.agent, issuer, configurations: options.configuration }),
        ),
      ),
    )
  command(wallet, 'inbox', 'show offers that came in by themselves and wait for you').action(
    (options: Common) =>
      run(options, async (client) => {
        const offers = await client.inbox()
        return { exitCode: 0, reply: { offers }, text: describeInbox(offers) }
      }),
  )
  command(wallet, 'accept <id>', 'receive an offer of the inbox')
    .option('--tx-code <code>', 'transaction code, from the channel the issuer sent it by')
    .action((id: string, options: Common & { txCode?: string }) =>
      run(options, async (client) => received(await client.accept({ id, txCode: options.txCode }))),
    )
  command(wallet, 'visits', 'show visits of strict peers, newest first').action((options: Common) =>
    run(options, async (client) => {
      const visits = await client.visits()
      return { exitCode: 0, reply: { visits }, text: describeVisits(visits) }
    }),
  )
  command(wallet, 'consent <visit>', 'let a waiting visit go on').action((id: string, options: Common) =>
    run(options, async (client) => {
      const visit = await client.consent(id)
      const exitCode = visit.state === 'success' ? 0 : visit.state === 'error' ? 1 : 3
      return { exitCode, reply: visit, text: describeVisits([visit]) }
    }),
  )
}
