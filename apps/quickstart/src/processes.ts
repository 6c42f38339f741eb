/**
 * The products as processes of their own: started, waited for, stopped. What they print goes to a log file.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

/** A program to start. */
export interface Program {
  /** For people, and for the name of the log file. */
  readonly name: string
  /** Script and its arguments. */
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** File that receives what the program prints. */
  readonly logFile: string
}

/** A program that runs. */
export interface Running {
  readonly name: string
  /** Rejects with the program's last words when it ends before `ready` says true. */
  waitUntil(ready: () => Promise<boolean>, timeoutMs: number): Promise<void>
  /** Asks it to end, waits, and kills it when it does not. */
  stop(): Promise<void>
}

const POLL_MS = 50
const STOP_MS = 5000

/** Starts a program with this Node. */
export function startProgram(program: Program): Running {
  const log = openSync(program.logFile, 'w', 0o600)
  const child = spawn(process.execPath, program.args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...program.env },
  })
  closeSync(log)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    name: program.name,
    waitUntil: (ready, timeoutMs) => waitUntil(child, program, { ready, timeoutMs }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(impatience)
    },
  }
}

async function waitUntil(
  child: ChildProcess,
  program: Program,
  { ready, timeoutMs }: { readonly ready: () => Promise<boolean>; readonly timeoutMs: number },
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`${program.name} ended: ${lastWords(program.logFile)}`)
    if (performance.now() > deadline) {
      throw new Error(`${program.name} is not ready after ${timeoutMs / 1000} s. See ${program.logFile}.`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n')
  return lines.at(-1) ?? 'it said nothing'
}

/** What a program that was run to its end printed. */
export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. */
export function runProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode: exitCode ?? 1, stdout, stderr }))
  })
}
