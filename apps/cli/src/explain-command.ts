/**
 * `attache explain`, and the same below `attache wallet`: what was decided, for every agent, and why.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from 'commander'
import { type Common, command, run } from './run-command.js'
import { describeDecisions } from './wallet-output.js'

/** Adds the command. */
export function addExplain(parent: Command): void {
  command(parent, 'explain', 'show what the wallet decided, newest first, and why')
    .option('--agent <id>', 'decisions of one agent')
    .option('--reference <id>', 'one decision')
    .option('--limit <count>', 'how many, 1 to 500', parseLimit)
    .action((options: Common & { agent?: string; reference?: string; limit?: number }) =>
      run(options, async (client) => {
        const { agent, reference, limit } = options
        const explanations = await client.explain({ agent, reference, limit })
        return { exitCode: 0, reply: { explanations }, text: describeDecisions(explanations) }
      }),
    )
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 500) return limit
  throw new InvalidArgumentError('A limit is a number from 1 to 500.')
}
