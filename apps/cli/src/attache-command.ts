/**
 * The tree of commands below `attache`.
 *
 * @module
 */
import { Command } from 'commander'
import { addExplain } from './explain-command.js'
import { walletCommand } from './wallet-commands.js'

/** Makes the command; wrong arguments end the process with status 2. */
export function attacheCommand(): Command {
  const attache = new Command('attache')
    .description('Verifiable role credentials for unattended agents.')
    .version('0.1.0')
    .addCommand(walletCommand())
    // Wrong arguments are the caller's mistake and have a status of their own.
    .showHelpAfterError('See attache --help.')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  // The question asked most often has the shortest way to its answer.
  addExplain(attache)
  return attache
}
