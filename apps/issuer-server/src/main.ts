#!/usr/bin/env node
/**
 * The command `attache-issuer`.
 *
 * @module
 */
import { describeFailure } from '@attache/daemon'
import { Command } from 'commander'
import { serve } from './serve.js'

const program = new Command('attache-issuer')
  .description('Issues role credentials to agents over OpenID4VCI.')
  .version('0.1.0')
  // Wrong arguments are the caller's mistake and have a status of their own.
  .showHelpAfterError('See attache-issuer --help.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))

program
  .command('serve')
  .description('Start the issuer; ends on SIGINT or SIGTERM.')
  .requiredOption('--config <file>', 'configuration file (JSON, version 1)')
  .option('--json', 'say what happens as JSON')
  .action(async (options: { config: string; json?: boolean }) => {
    try {
      const server = await serve(options.config)
      announce(server, options.json === true)
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => {
          server.close().finally(() => process.exit(0))
        })
      }
    } catch (error) {
      const failure = describeFailure(error)
      process.stderr.write(
        options.json === true
          ? `${JSON.stringify({ error: failure.code, message: failure.message })}\n`
          : `attache-issuer: ${failure.message}\n`,
      )
      process.exitCode = 1
    }
  })

function announce(server: Awaited<ReturnType<typeof serve>>, asJson: boolean): void {
  const { credentialIssuers, listen, management } = server
  const [first = ''] = credentialIssuers
  const verb = credentialIssuers.length === 1 ? 'is' : 'are'
  const managed = management ? `management on ${management.host}:${management.port}` : 'no management'
  process.stdout.write(
    asJson
      ? `${JSON.stringify({ ready: true, credential_issuer: first, credential_issuers: credentialIssuers, listen, management })}\n`
      : `${credentialIssuers.join(' and ')} ${verb} ready on ${listen.host}:${listen.port}; ${managed}.\n`,
  )
}

await program.parseAsync()
