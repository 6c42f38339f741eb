/**
 * `attache wallet …`: the operator's commands.
 *
 * Exit status: 0 done; 1 refused or failed; 2 wrong arguments; 3 somebody has to do something first (a
 * transaction code, a login, or waiting for the issuer).
 *
 * @module
 */
import { Command } from 'commander'
import { addExplain } from './explain-command.js'
import { addIntake } from './intake-commands.js'
import { type Common, command, received, run, textOf } from './run-command.js'
import { examineWallet } from './wallet-doctor.js'
import { describeFindings, describePresented, describeStatus } from './wallet-output.js'

/** Makes the command `wallet`. */
export function walletCommand(): Command {
  const wallet = new Command('wallet')
    .description('Ask the wallet daemon on this host, as its operator.')
    // Wrong arguments are the caller's mistake and have a status of their own; subcommands inherit this.
    .showHelpAfterError('See attache wallet --help.')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

  addHandingIn(wallet)
  addReading(wallet)
  addIntake(wallet)
  switchCommand(wallet, {
    name: 'stop',
    stopped: true,
    description: 'stop an agent: nothing is presented for it any more',
  })
  switchCommand(wallet, { name: 'release', stopped: false, description: 'release a stopped agent' })
  return wallet
}

/** What is handed to the wallet: offers, login answers, requests. */
function addHandingIn(wallet: Command): void {
  command(
    wallet,
    'receive <offer>',
    'hand in a credential offer: a link, or - to read it from standard input',
  )
    .requiredOption('--agent <id>', 'agent that is to hold the credential')
    .option('--tx-code <code>', 'transaction code, from the channel the issuer sent it by')
    .action((offer: string, options: Common & { agent: string; txCode?: string }) =>
      run(options, async (client) =>
        received(
          await client.receive({ agent: options.agent, offer: textOf(offer), txCode: options.txCode }),
        ),
      ),
    )
  command(wallet, 'callback <url>', 'hand back the address a browser ended at after a login')
    .requiredOption('--agent <id>', 'agent the login was for')
    .action((url: string, options: Common & { agent: string }) =>
      run(options, async (client) =>
        received(await client.callback({ agent: options.agent, url: textOf(url) })),
      ),
    )
  command(
    wallet,
    'present <request>',
    'answer a presentation request: a link, or - to read it from standard input',
  )
    .requiredOption('--agent <id>', 'agent that is asked')
    .action((request: string, options: Common & { agent: string }) =>
      run(options, async (client) => {
        const reply = await client.present({ agent: options.agent, request: textOf(request) })
        return { exitCode: reply.outcome === 'delivered' ? 0 : 1, reply, text: describePresented(reply) }
      }),
    )
}

/** What is read from it. */
function addReading(wallet: Command): void {
  command(wallet, 'status', 'show agents, their credentials, copies left and renewals due')
    .option('--refresh', 'have the wallet look at every status list first')
    .option('--language <tag>', 'language for names of types (default: LC_ALL or LANG)')
    .action((options: Common & { refresh?: boolean; language?: string }) =>
      run(options, async (client) => {
        const languages = [...languagesOf(options.language), 'en']
        const reply = await client.status({ refresh: options.refresh, languages })
        return { exitCode: 0, reply, text: describeStatus(reply) }
      }),
    )
  command(wallet, 'metrics', 'show what the wallet counted and measured, as Prometheus reads it').action(
    (options: Common) =>
      run(options, async (client) => {
        const text = await client.metrics()
        return { exitCode: 0, reply: { text }, text: text.trimEnd() }
      }),
  )
  command(
    wallet,
    'doctor',
    'examine sockets, files, policy and clocks; says what to do (status 1: something fails)',
  ).action((options: Common) =>
    run(options, async (client, socket) => {
      const findings = await examineWallet(socket, client)
      const exitCode = findings.some(({ outcome }) => outcome === 'failed') ? 1 : 0
      return { exitCode, reply: { findings }, text: describeFindings(findings) }
    }),
  )
  addExplain(wallet)
}

/** The language that was asked for, or the one of the terminal: `de_AT.UTF-8` is `de-AT`. */
function languagesOf(asked: string | undefined): readonly string[] {
  const named = asked ?? process.env['LC_ALL'] ?? process.env['LANG'] ?? ''
  const tag = (named.split('.')[0] ?? '').replaceAll('_', '-')
  return /^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$/.test(tag) ? [tag] : []
}

function switchCommand(
  parent: Command,
  { name, stopped, description }: { name: string; stopped: boolean; description: string },
): void {
  command(parent, `${name} <agent>`, description).action((agent: string, options: Common) =>
    run(options, async (client) => {
      await client.setStopped(agent, stopped)
      return {
        exitCode: 0,
        reply: { agent, stopped },
        text: `${agent} is ${stopped ? 'stopped' : 'released'}.`,
      }
    }),
  )
}
