#!/usr/bin/env node
/**
 * The command `attache-wallet`.
 *
 * @module
 */
import { describeFailure } from '@attache/daemon'
import { Command } from 'commander'
import { forbidDumps } from './no-dumps.js'
import { type RunningWallet, serve } from './serve.js'

const program = new Command('attache-wallet')
  .description('Holds the keys and role credentials of agents, and answers verifiers for them.')
  .version('0.1.0')

program
  .command('serve')
  .description('Start the wallet daemon; ends on SIGINT or SIGTERM.')
  .requiredOption('--config <file>', 'configuration file (JSON, version 1)')
  .option('--json', 'say what happens as JSON')
  .action(async (options: { config: string; json?: boolean }) => {
    try {
      forbidDumps([...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')])
      const wallet = await serve(options.config)
      announce(wallet, options.json === true)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => {
          wallet.close().finally(() => process.exit(0))
        })
      }
    } catch (error) {
      const failure = describeFailure(error)
      process.stderr.write(
        options.json === true
          ? `${JSON.stringify({ error: failure.code, message: failure.message })}\n`
          : `attache-wallet: ${failure.message}\n`,
      )
      process.exitCode = 1
    }
  })

function announce({ operatorSocket, agentSockets }: RunningWallet, asJson: boolean): void {
  const agents = Object.fromEntries(agentSockets)
  process.stdout.write(
    asJson
      ? `${JSON.stringify({ ready: true, operator: operatorSocket, agents })}\n`
      : `The wallet is ready for ${agentSockets.size} agents; operator socket ${operatorSocket}.\n`,
  )
}

await program.parseAsync()
