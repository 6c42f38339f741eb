import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
// Three in a row, below the ports the system hands out by itself and beside those of the quickstart's own test.
const FIRST_PORT = 18_541
const folder = mkdtempSync(join(tmpdir(), 'attache-new-'))
const QUICKSTART = join(folder, 'quickstart')

interface Block {
  readonly language: string
  readonly text: string
}

/** The code blocks of one section of the wallet's README, in order. */
function blocksOf(title: string): readonly Block[] {
  const readme = readFileSync(join(ROOT, 'apps/wallet/README.md'), 'utf8')
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
}

/** What a newcomer types, as one script: only the places differ, and the daemon's terminal is a background job. */
function scriptOf(blocks: readonly Block[]): string {
  const places = [
    `ATTACHE='${ROOT.replace(/\/$/, '')}'`,
    `QUICKSTART='${QUICKSTART}'`,
    ...['ISSUER', 'MANAGEMENT', 'API'].map(
      (name, position) => `${name}=https://localhost:${FIRST_PORT + position}`,
    ),
  ]
  const typed = blocks.slice(1).map(({ language, text }) => {
    if (language === 'js') return `cat > agent.mjs <<'END_OF_AGENT'\n${text}END_OF_AGENT`
    if (!text.startsWith('attache-wallet serve')) return text
    const ready = 'until grep -q "The wallet is ready" serve.log; do kill -0 $!; sleep 0.2; done'
    return `${text.trimEnd()} > serve.log 2>&1 &\ntrap 'kill $(jobs -p); wait' EXIT\n${ready}`
  })
  return ['set -euo pipefail', ...places, ...typed, ''].join('\n')
}

/** Runs a program and collects what it says. */
function start(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(program, args, { cwd, env })
  const said = { text: '' }
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said.text += String(chunk)
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const says = (words: string) =>
    new Promise<void>((resolve) => {
      listeners.add(() => {
        if (said.text.includes(words)) resolve()
      })
    })
  return { child, said, ended, says }
}

describe('the wallet README', () => {
  const quickstart = start(
    process.execPath,
    ['apps/quickstart/dist/main.js', '--data', QUICKSTART, '--port', String(FIRST_PORT)],
    ROOT,
  )
  beforeAll(async () => {
    await Promise.race([quickstart.says('Everything keeps running'), quickstart.ended])
    expect(quickstart.said.text).toContain('Everything keeps running')
  }, 250_000)
  afterAll(async () => {
    quickstart.child.kill('SIGTERM')
    await quickstart.ended
    rmSync(folder, { recursive: true, force: true })
  }, 180_000)

  test('leads a newcomer from an empty host to an answer of the API', async () => {
    const blocks = blocksOf('From an empty host to a called API')
    expect(blocks.map(({ language }) => language)).toEqual(['sh', 'sh', 'sh', 'sh', 'sh', 'sh', 'js', 'sh'])
    const script = join(folder, 'newcomer.sh')
    writeFileSync(script, scriptOf(blocks))
    // Nothing here has a dependency, so nothing may be fetched.
    const { ATTACHE_SOCKET: _none, ...env } = process.env
    const newcomer = start('bash', [script], folder, { ...env, npm_config_offline: 'true' })
    const exitCode = await newcomer.ended
    expect(newcomer.said.text).toMatch(/^200 \{/m)
    expect(newcomer.said.text).toContain('Stored 1 credential')
    expect(newcomer.said.text).toContain('The daemon answers for 1 agent.')
    expect(newcomer.said.text).toContain('present granted')
    expect(newcomer.said.text).not.toMatch(/^failed/m)
    expect(exitCode).toBe(0)
  }, 240_000)
})
