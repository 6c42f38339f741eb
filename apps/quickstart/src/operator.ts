/**
 * The wallet's operator at the command line: `attache wallet …` with `--json`.
 *
 * @module
 */
import { z } from 'zod'
import { runProgram } from './processes.js'

/** What came of handing in an offer. */
export interface Received {
  /** `stored`, or why not. */
  readonly outcome: string
  /** Stable code of a refusal. */
  readonly code: string
  /** Where somebody has to sign in first. */
  readonly authorizationUrl?: string | undefined
}

/** One decision of the wallet. */
export interface Decision {
  readonly agent: string
  readonly event: string
  readonly outcome: string
  readonly code: string
  readonly message: string
}

/** What the story asks of the wallet's operator. */
export interface Operator {
  receive(agent: string, offer: string, txCode?: string): Promise<Received>
  /** Hands in the address a browser was sent back to. */
  callback(agent: string, url: string): Promise<Received>
  /** Newest decisions about an agent first. */
  explain(agent: string): Promise<readonly Decision[]>
  /** @returns Whether the daemon answers. */
  answers(): Promise<boolean>
}

/** Creates an operator. @param command Script of the CLI. @param socket Operator socket of the daemon. */
export function createOperator(command: string, socket: string): Operator {
  const wallet = (...args: string[]) => runProgram([command, 'wallet', ...args, '--socket', socket, '--json'])
  return {
    async receive(agent, offer, txCode) {
      const code = txCode === undefined ? [] : ['--tx-code', txCode]
      const { stdout, stderr } = await wallet('receive', offer, '--agent', agent, ...code)
      return parseReceived(readJsonLine(stdout, stderr))
    },
    async callback(agent, url) {
      const { stdout, stderr } = await wallet('callback', url, '--agent', agent)
      return parseReceived(readJsonLine(stdout, stderr))
    },
    async explain(agent) {
      const { stdout, stderr } = await wallet('explain', '--agent', agent)
      return parseDecisions(readJsonLine(stdout, stderr))
    },
    async answers() {
      const { exitCode } = await wallet('status')
      return exitCode === 0
    },
  }
}

function readJsonLine(stdout: string, stderr: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error(`attache wallet said: ${stderr.trim() || stdout.trim() || 'nothing'}`)
  }
}

function parseReceived(value: unknown): Received {
  const received = z.object({
    outcome: z.string(),
    code: z.string().default(''),
    authorizationUrl: z.string().optional(),
  })
  return received.parse(value)
}

function parseDecisions(value: unknown): readonly Decision[] {
  const decision = z.object({
    agent: z.string(),
    event: z.string(),
    outcome: z.string(),
    code: z.string(),
    message: z.string(),
  })
  return z.object({ explanations: z.array(decision) }).parse(value).explanations
}
