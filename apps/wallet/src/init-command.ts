/**
 * The command line of `attache-wallet init`.
 *
 * @module
 */
import { describeFailure } from '@attache/daemon'
import { Command } from 'commander'
import { type Initialized, type InitOptions, init } from './init.js'

/** Makes the command `init`. Exit status: 0 made; 1 not made, nothing written; 2 wrong arguments. */
export function initCommand(): Command {
  return new Command('init')
    .description('Write the first configuration of a wallet: wallet.json, a master key, release rules.')
    .requiredOption('--folder <folder>', 'where everything is written; nothing there is ever replaced')
    .requiredOption('--agent <id...>', 'agents of this host')
    .requiredOption('--client-id <id>', 'OAuth client identifier of this wallet')
    .requiredOption('--issuer <url>', 'Credential Issuer Identifier')
    .requiredOption('--type <vct...>', 'credential types that are taken from it')
    .requiredOption('--issuer-anchors <pem>', 'who signs the certificates of its credentials')
    .option('--status-anchors <pem>', 'who signs those of its status lists (default: the same)')
    .requiredOption('--api <origin>', 'API that the agents call')
    .requiredOption('--api-certificate <pem>', 'certificate that signs its requests for presentations')
    .requiredOption('--api-anchors <pem>', 'who signs that certificate')
    .requiredOption('--claim <name...>', 'claims that the API may see')
    .option('--ca <pem>', 'authority of TLS certificates, beside those of the system')
    .option('--allow-private <host...>', 'hosts with internal addresses that may be called')
    .requiredOption('--provider <id>', 'identifier of the wallet provider, which vouches for this wallet')
    .requiredOption('--provider-key <pem>', 'its private key')
    .requiredOption('--provider-certificates <pem>', 'its certificate chain')
    .option('--json', 'say what was written as JSON')
    .action(({ json, ...options }: InitOptions & { readonly json?: boolean }) => run(options, json === true))
}

function run(options: InitOptions, json: boolean): void {
  try {
    const made = init(options)
    process.stdout.write(json ? `${JSON.stringify(made)}\n` : describe(made))
  } catch (error) {
    const { code, message } = describeFailure(error)
    process.stderr.write(
      json ? `${JSON.stringify({ error: code, message })}\n` : `attache-wallet: ${message}\n`,
    )
    process.exitCode = 1
  }
}

function describe({ written, config, operatorSocket }: Initialized): string {
  const files = written.map((path) => `  ${path}\n`).join('')
  return `Written:\n${files}Next:\n  attache-wallet serve --config ${config}\n  attache wallet doctor --socket ${operatorSocket}\n`
}
