/**
 * Chapter 7: the credential is revoked while its agent keeps calling.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { agentEnvironment } from './calls-chapter.js'
import { STATUS_TTL_SECONDS } from './configure.js'
import type { Management } from './management.js'
import type { Report } from './report.js'
import type { Setting } from './setting.js'

/** Calls before the revocation, so that it is seen to end something that worked. */
const CALLS_BEFORE = 3
/** When to stop waiting, in seconds; far beyond what would be ✗. */
const PATIENCE_SECONDS = 60

/** Revokes while the agent calls, and says how many seconds later the first refusal came. */
export async function tellLeaver(setting: Setting, management: Management, report: Report): Promise<void> {
  report.chapter('The owner leaves')
  const agent = 'payroll-export'
  const calls = startCalling(setting, agent)
  try {
    await report.step(`${agent} keeps calling and is answered`, () => calls.answered(CALLS_BEFORE))
    const revoked = await report.step('the issuer revokes its credential', () =>
      management.setStatus(agent, 'invalid'),
    )
    const revokedAt = Date.now()
    report.note(`${revoked} credential${revoked === 1 ? '' : 's'} revoked`)
    const refused = await report.step('waiting for the first refusal', () => calls.refusal())
    const seconds = Math.max(0, refused.at - revokedAt) / 1000
    report.expect(`refused within the list’s ttl (${STATUS_TTL_SECONDS} s) + 1 s`, {
      held: refused.status >= 401 && refused.status <= 403 && seconds <= STATUS_TTL_SECONDS + 1,
      detail: `${refused.status} after ${seconds.toFixed(1)} s`,
    })
  } finally {
    calls.stop()
  }
}

interface Outcome {
  readonly at: number
  readonly status: number
}

/** A process that calls until it is refused. */
interface Calling {
  answered(times: number): Promise<void>
  refusal(): Promise<Outcome>
  stop(): void
}

function startCalling(setting: Setting, agent: string): Calling {
  const child = spawn(process.execPath, [`${import.meta.dirname}/agent-loop.js`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...agentEnvironment(setting, agent) },
  })
  const outcomes: Outcome[] = []
  const listeners = new Set<() => void>()
  const tell = () => {
    for (const listener of listeners) listener()
  }
  let ended = false
  child.once('exit', () => {
    ended = true
    tell()
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    outcomes.push(parseOutcome(line))
    tell()
  })
  const until = <T>(found: () => T | undefined) =>
    new Promise<T>((resolve, reject) => {
      const impatience = setTimeout(
        () => reject(new Error('the agent gave no sign')),
        PATIENCE_SECONDS * 1000,
      )
      const look = () => {
        const value = found()
        if (value === undefined && !ended) return
        clearTimeout(impatience)
        listeners.delete(look)
        if (value === undefined) reject(new Error('the agent ended before'))
        else resolve(value)
      }
      listeners.add(look)
      look()
    })
  return {
    async answered(times) {
      await until(() => (outcomes.filter(({ status }) => status === 200).length >= times ? true : undefined))
    },
    refusal: () => until(() => outcomes.find(({ status }) => status !== 200)),
    stop: () => void child.kill(),
  }
}

function parseOutcome(line: string): Outcome {
  return z.object({ at: z.number(), status: z.number() }).parse(JSON.parse(line))
}
