import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const data = mkdtempSync(join(tmpdir(), 'attache-quickstart-'))
// Below the ports the system hands out by itself, which the suites beside this one listen on.
const FIRST_PORT = 18441

afterAll(() => rmSync(data, { recursive: true, force: true }))

interface Ended {
  readonly exitCode: number | null
  readonly output: string
}

/** The built command, as `npm start` runs it once everything is installed and built. */
function runQuickstart(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['apps/quickstart/dist/main.js', ...args], { cwd: ROOT })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, output }))
  })
}

/** What may differ between two runs: times, the data folder, the first port. */
function settled(text: string): readonly string[] {
  return text
    .replace(/\d+\.\d+ s/g, 'N s')
    .replace(/localhost:\d+/g, (origin) =>
      /44[13]$/.test(origin) ? `localhost:…${origin.slice(-3)}` : origin,
    )
    .replace(/^Attaché quickstart\. Data folder: .*$/m, 'Attaché quickstart.')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
}

function transcriptInReadme(): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const block = /```text\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  return block.slice(block.indexOf('Attaché quickstart.'))
}

describe('the quickstart', () => {
  test('prints what the README says, and ends with status 0 because everything held', async () => {
    const { exitCode, output } = await runQuickstart('--once', '--data', data, '--port', String(FIRST_PORT))

    expect(settled(output)).toEqual(settled(transcriptInReadme()))
    expect(exitCode).toBe(0)
  }, 120_000)

  test('says in one line what a wrong port is, and ends with status 1', async () => {
    const { exitCode, output } = await runQuickstart('--once', '--data', data, '--port', '80')

    expect(exitCode).toBe(1)
    expect(output).toContain('A port is a number from 1024 to 65533.')
  })

  test('wipes nothing and asks nobody where another one may run: a port is in use', async () => {
    const folder = join(data, 'beside')
    mkdirSync(join(folder, 'trust'), { recursive: true })
    const other = createServer()
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => {
        const address = other.address()
        resolve(address !== null && typeof address === 'object' ? address.port : 0)
      })
    })
    const { exitCode, output } = await runQuickstart('--fresh', '--data', folder, '--port', String(port))
    other.close()

    expect(exitCode).toBe(1)
    expect(output).toContain(`✗ Port ${port} is in use. End what listens there`)
    expect(output.trim().split('\n')).toHaveLength(1)
    expect(existsSync(join(folder, 'trust'))).toBe(true)
  })

  test('wipes no folder that holds anything a quickstart did not make', async () => {
    const folder = join(data, 'home')
    mkdirSync(folder)
    writeFileSync(join(folder, 'thesis.txt'), 'years of work')
    const { exitCode, output } = await runQuickstart('--fresh', '--data', folder, '--port', '18444')

    expect(exitCode).toBe(1)
    expect(output).toContain('holds thesis.txt, which no quickstart made, and is not wiped.')
    expect(existsSync(join(folder, 'thesis.txt'))).toBe(true)
  })

  test('says that a data folder was made for other ports', async () => {
    const { exitCode, output } = await runQuickstart('--data', data, '--port', '18444')

    expect(exitCode).toBe(1)
    expect(output).toContain(`was made for the issuer https://localhost:${FIRST_PORT}.`)
  })

  test('does not say that everything held when a run broke off', async () => {
    rmSync(join(data, 'trust', 'tls-ca.pem'))
    const { exitCode, output } = await runQuickstart('--once', '--data', data, '--port', String(FIRST_PORT))

    expect(exitCode).toBe(1)
    expect(output).toContain('The run broke off. The logs are in ')
    expect(output).not.toContain('Everything held.')
  })
})
