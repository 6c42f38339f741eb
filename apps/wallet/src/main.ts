#!/usr/bin/env node
/**
 * The command `attache-wallet`.
 *
 * @module
 */
import { describeFailure } from '@attache/daemon'
import { Command } from 'commander'
import { attest, type RunningAttester } from './attest.js'
import { initCommand } from './init-command.js'
import { forbidDumps } from './no-dumps.js'
import { type RunningWallet, serve } from './serve.js'

interface CommandOptions {
  readonly config: string
  readonly json?: boolean
}

const program = new Command('attache-wallet')
  .description('Holds the keys and role credentials of agents, and answers verifiers for them.')
  .version('0.1.0')
  .addCommand(initCommand())
  // Wrong arguments are the caller's mistake and have a status of their own.
  .showHelpAfterError('See attache-wallet --help.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

for (const command of program.commands) command.copyInheritedSettings(program)

program
  .command('serve')
  .description('Start the wallet daemon; ends on SIGINT or SIGTERM.')
  .requiredOption('--config <file>', 'configuration file (JSON, version 1)')
  .option('--json', 'say what happens as JSON')
  .action((options: CommandOptions) => run(options, () => serve(options.config), describeWallet))

program
  .command('attest')
  .description(
    'Start the attester, which vouches for wallets by the identity tokens of their workloads; ends on SIGINT or SIGTERM. Run it as a user of its own.',
  )
  .requiredOption('--config <file>', 'configuration file (JSON, version 1)')
  .option('--json', 'say what happens as JSON')
  .action((options: CommandOptions) => run(options, () => attest(options.config), describeAttester))

/** Starts a server, says so, and ends it on a signal; a failed start is one line and exit status 1. */
async function run<Running extends { close(): Promise<void> }>(
  { json }: CommandOptions,
  start: () => Promise<Running>,
  describe: (running: Running) => { readonly facts: object; readonly line: string },
): Promise<void> {
  try {
    forbidDumps([...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')])
    const running = await start()
    const { facts, line } = describe(running)
    process.stdout.write(json === true ? `${JSON.stringify({ ready: true, ...facts })}\n` : `${line}\n`)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        running.close().finally(() => process.exit(0))
      })
    }
  } catch (error) {
    const failure = describeFailure(error)
    process.stderr.write(
      json === true
        ? `${JSON.stringify({ error: failure.code, message: failure.message })}\n`
        : `attache-wallet: ${failure.message}\n`,
    )
    process.exitCode = 1
  }
}

function describeWallet({ operatorSocket, agentSockets, ports, warnings }: RunningWallet) {
  for (const warning of warnings) process.stderr.write(`attache-wallet: warning: ${warning}\n`)
  const facts = { operator: operatorSocket, agents: Object.fromEntries(agentSockets), ports, warnings }
  const agents = `${agentSockets.size} agent${agentSockets.size === 1 ? '' : 's'}`
  const line = `The wallet is ready for ${agents}; operator socket ${operatorSocket}.`
  return { facts, line }
}

function describeAttester({ attester, listen, tokenIssuers, rules }: RunningAttester) {
  const facts = { attester, listen, token_issuers: tokenIssuers, rules }
  const line = `${attester} is ready on ${listen.host}:${listen.port}; rules: ${rules}, token issuers: ${tokenIssuers}.`
  return { facts, line }
}

await program.parseAsync()
