#!/usr/bin/env node
/**
 * The command `attache`.
 *
 * @module
 */
import { Command } from 'commander'
import { addExplain } from './explain-command.js'
import { walletCommand } from './wallet-commands.js'

const program = new Command('attache')
  .description('Verifiable role credentials for unattended agents.')
  .version('0.1.0')
  .addCommand(walletCommand())
  // Wrong arguments are the caller's mistake and have a status of their own.
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

// The question asked most often has the shortest way to its answer.
addExplain(program)

await program.parseAsync()
