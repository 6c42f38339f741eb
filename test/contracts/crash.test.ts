/**
 * A process that is killed in the middle of its writes: what it acknowledged is there, what it half did is not.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createLevelStore } from '@attache/storage'
import { describe, expect, test } from 'vitest'

const CHILD = fileURLToPath(new URL('./crash-child.mjs', import.meta.url))

/** Runs the child until it said so many lines, then kills it; returns what it had acknowledged. */
async function runAndKill(path: string, lines: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [CHILD, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said: string[] = []
  const exit = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line)
    // No warning and no chance to tidy up; what is still in the pipe was acknowledged as well.
    if (said.length === lines) child.kill('SIGKILL')
  }
  await exit
  expect(child.signalCode).toBe('SIGKILL')
  return said.slice(1)
}

describe('level store, killed', () => {
  test.each([1, 40, 700])('keeps what it acknowledged before kill -9 after %i lines', async (lines) => {
    const path = await mkdtemp(join(tmpdir(), 'attache-crash-'))
    const said = await runAndKill(path, lines + 1)
    const store = await createLevelStore({ path, clock: () => 1_790_000_000 })
    const all = async (prefix: string) =>
      new Set((await store.list(prefix, undefined, 100_000)).map(({ key }) => key.slice(prefix.length)))
    const [left, right, codes] = [await all('left/'), await all('right/'), await all('code/')]

    expect(said.length).toBeGreaterThanOrEqual(lines)
    for (const line of said) {
      const [verb, n = ''] = line.split(' ')
      expect(left.has(n)).toBe(true)
      // A code that was redeemed stays redeemed.
      if (verb === 'take') expect(codes.has(n)).toBe(false)
    }
    // All or none: no commit was cut in two.
    expect(left).toEqual(right)
    for (const n of codes) expect(left.has(n)).toBe(true)
    await store.close()
    await rm(path, { recursive: true })
  })
})
