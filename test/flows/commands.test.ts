import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isJsonObject } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, issueCertificate, privateJwkToPem } from '@attache/keys'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attacheCommand } from '../../apps/cli/src/attache-command.js'
import { type InitOptions, init } from '../../apps/wallet/src/init.js'
import { serve } from '../../apps/wallet/src/serve.js'
import { NOW } from '../support/clock.js'
import { certifyTls, createTlsAuthority } from '../support/https-origin.js'
import { createSeededRandom } from '../support/random.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = {
  attache: 'apps/cli/dist/main.js',
  'attache-wallet': 'apps/wallet/dist/main.js',
  'attache-issuer': 'apps/issuer-server/dist/main.js',
}
const folder = mkdtempSync(join(tmpdir(), 'attache-commands-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const nowhere = join(folder, 'none.sock')

/** Runs a built command to its end. */
function run(command: keyof typeof MAIN, ...args: readonly string[]) {
  const { ATTACHE_OPERATOR_SOCKET: _none, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, MAIN[command]), ...args], {
    encoding: 'utf8',
    env,
  })
  return { status, stdout, stderr }
}

/** Every command, with arguments that are whole. */
const WALLET: readonly (readonly string[])[] = [
  ['wallet', 'receive', 'openid-credential-offer://?x', '--agent', 'a'],
  ['wallet', 'callback', 'https://wallet.example/cb?code=1', '--agent', 'a'],
  ['wallet', 'present', 'openid4vp://?x', '--agent', 'a'],
  ['wallet', 'request', 'https://issuer.example', '--agent', 'a', '--configuration', 'role'],
  ['wallet', 'inbox'],
  ['wallet', 'accept', 'inb_1'],
  ['wallet', 'visits'],
  ['wallet', 'consent', 'vis_1'],
  ['wallet', 'status'],
  ['wallet', 'metrics'],
  ['wallet', 'doctor'],
  ['wallet', 'explain'],
  ['wallet', 'stop', 'a'],
  ['wallet', 'release', 'a'],
  ['explain'],
]
const named = (args: readonly string[]) => args.slice(0, args[0] === 'wallet' ? 2 : 1).join(' ')
const TABLE = WALLET.map((args) => [named(args), args] as const)

type Command = ReturnType<typeof attacheCommand>

/** A command and those below it, by full name; read in this process, since every start of Node costs a second. */
function commandsBelow(command: Command, above = ''): ReadonlyMap<string, Command> {
  const own = above === '' ? command.name() : `${above} ${command.name()}`
  return new Map([
    [own, command] as const,
    ...command.commands.flatMap((inner) => [...commandsBelow(inner, own)]),
  ])
}

describe('the command attache', () => {
  test('has the commands of this table, each with --help, --json and --socket', () => {
    const below = commandsBelow(attacheCommand())
    const leaves = [...below].filter(([, command]) => command.commands.length === 0)
    expect(leaves.map(([name]) => name).sort()).toEqual(TABLE.map(([name]) => `attache ${name}`).sort())
    for (const [, command] of leaves) {
      const help = command.helpInformation()
      for (const part of ['Usage: ', '--socket <path>', '--json', '--help']) expect(help).toContain(part)
      expect(command.description()).not.toBe('')
    }
    const readme = readFileSync(join(ROOT, 'apps/cli/README.md'), 'utf8')
    for (const [name] of TABLE) expect(readme).toContain(name.split(' ').at(-1))
  })

  test.each(TABLE)('%s ends with 1 and says what to do when nobody answers', (name, args) => {
    const asked = run('attache', ...args, '--socket', nowhere, '--json')
    expect(asked.status).toBe(1)
    if (name === 'wallet doctor') {
      const { findings } = Object(JSON.parse(asked.stdout))
      expect(findings).toContainEqual(expect.objectContaining({ check: 'daemon', outcome: 'failed' }))
      return
    }
    expect(JSON.parse(asked.stderr)).toEqual({
      error: 'wallet_unreachable',
      message: expect.stringContaining(nowhere),
    })
  })

  test.each([
    [[]],
    [['unknown']],
    [['wallet', 'status', '--unknown']],
    [['wallet', 'receive', 'offer']],
    [['wallet', 'accept']],
    [['explain', '--limit', 'many']],
  ])('ends with 2 for wrong arguments: %j', (args) => {
    const asked = run('attache', ...args)
    expect(asked).toMatchObject({ status: 2, stdout: '' })
    expect(asked.stderr).toMatch(/^(error: [\s\S]+\nSee attache( wallet)? --help\.|Usage: attache[\s\S]+)\n$/)
  })

  test('says without --json, and ends with 0 for help', () => {
    expect(run('attache', 'wallet', 'status')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^attache: No operator socket is named\. Pass --socket/),
    })
    expect(run('attache', 'wallet', 'explain', '--help')).toMatchObject({ status: 0, stderr: '' })
  })
})

describe('the command attache-issuer', () => {
  test('ends with 2 for wrong arguments, and says where help is', () => {
    const { status, stderr } = run('attache-issuer', 'serve', '--confg', 'issuer.json')
    expect(status).toBe(2)
    expect(stderr).toMatch(/^error: .+\nSee attache-issuer --help\.\n$/)
  })
})

describe('the command attache-wallet', () => {
  test.each(['serve', 'attest'])('%s ends with 1 when the configuration is not there', (name) => {
    const config = join(folder, 'missing.json')
    const asked = run('attache-wallet', name, '--config', config, '--json')
    expect(asked).toMatchObject({ status: 1, stdout: '' })
    expect(JSON.parse(asked.stderr)).toEqual({
      error: 'start_up_failed',
      message: expect.stringContaining(config),
    })
  })

  test.each(['serve', 'attest', 'init'])('%s explains itself, and takes no unknown option', (name) => {
    const { status, stdout } = run('attache-wallet', name, '--help')
    expect(status).toBe(0)
    for (const part of [`Usage: attache-wallet ${name}`, '--json', '--help']) expect(stdout).toContain(part)
    expect(run('attache-wallet', name, '--unknown').status).toBe(2)
  })

  test.each([[[]], [['unknown']], [['init', '--folder', 'x']]])(
    'ends with 2 for wrong arguments: %j',
    (args) => {
      expect(run('attache-wallet', ...args).status).toBe(2)
    },
  )
})

describe('attache-wallet init', () => {
  const given = join(folder, 'given')
  const file = (name: string) => join(given, name)
  let verifier = ''
  const args = (target: string, ...more: readonly string[]) => [
    ...['init', '--folder', target, '--agent', 'invoice-bot', 'report-bot', '--client-id', 'acme-bots'],
    ...['--issuer', 'https://issuer.example', '--type', 'https://issuer.example/types/agent-role/v1'],
    ...['--issuer-anchors', file('ca.pem'), '--api', 'https://api.example', '--claim', 'role', 'region'],
    ...['--api-certificate', file('leaf.pem'), '--api-anchors', file('ca.pem')],
    ...['--provider', 'https://provider.example', '--provider-key', file('leaf.key')],
    ...['--provider-certificates', file('leaf.pem'), '--ca', file('ca.pem'), ...more],
  ]

  beforeAll(async () => {
    mkdirSync(given)
    const authority = await createTlsAuthority()
    const { key, cert } = await certifyTls(authority, { name: 'provider.example' })
    writeFileSync(file('ca.pem'), authority.pem)
    writeFileSync(file('leaf.pem'), cert)
    writeFileSync(file('leaf.key'), key)
    const der = cert.replace(/-----[^-]+-----|\s/g, '')
    verifier = x509HashClientIdentifier(der)
  })

  test('writes a folder that the daemon starts with, readable for nobody else', async () => {
    const target = join(folder, 'w')
    const { status, stdout } = run('attache-wallet', ...args(target), '--json')
    expect(status).toBe(0)
    const made: unknown = JSON.parse(stdout)
    expect(made).toMatchObject({ config: join(target, 'wallet.json') })
    const written = isJsonObject(made) && Array.isArray(made['written']) ? made['written'].map(String) : []
    expect(written).toHaveLength(8)
    for (const path of written) expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(target).mode & 0o777).toBe(0o700)
    const rules: unknown = JSON.parse(readFileSync(join(target, 'release.json'), 'utf8'))
    expect(rules).toMatchObject([{ effect: 'allow', resources: [{ type: 'Verifier', id: verifier }] }])

    const wallet = await serve(join(target, 'wallet.json'), () => NOW)
    expect([...wallet.agentSockets.keys()]).toEqual(['invoice-bot', 'report-bot'])
    await wallet.close()
  })

  test('replaces nothing, and says which file is there', () => {
    const target = join(folder, 'again')
    expect(run('attache-wallet', ...args(target)).stdout).toContain('attache-wallet serve --config')
    const before = readFileSync(join(target, 'master.key'), 'utf8')
    rmSync(join(target, 'wallet.json'))
    const again = run('attache-wallet', ...args(target), '--json')
    expect(again.status).toBe(1)
    expect(JSON.parse(again.stderr)).toMatchObject({ error: 'init_exists' })
    expect(readFileSync(join(target, 'master.key'), 'utf8')).toBe(before)
    expect(existsSync(join(target, 'wallet.json'))).toBe(false)
  })

  test('writes nothing when something given is wrong', async () => {
    const random = createSeededRandom('init')
    const stranger = generatePrivateJwk('ES256')
    writeFileSync(file('other.key'), privateJwkToPem(stranger))
    const validity = { notBefore: NOW - 1, notAfter: NOW + 86_400 }
    const { publicJwk } = createSoftwareSigner(stranger)
    const { pem } = await issueCertificate(
      { commonName: 'No authority', publicJwk, issuer: await createTlsAuthority(), ...validity },
      { random },
    )
    writeFileSync(file('no-authority.pem'), pem)
    const wrong: readonly (readonly [Partial<InitOptions>, string])[] = [
      [{ agent: ['operator'] }, 'init_invalid'],
      [{ agent: ['../up'] }, 'init_invalid'],
      [{ issuer: 'http://issuer.example' }, 'init_invalid'],
      [{ api: 'https://api.example/path' }, 'init_invalid'],
      [{ issuerAnchors: file('missing.pem') }, 'start_up_failed'],
      [{ issuerAnchors: file('no-authority.pem') }, 'anchor_malformed'],
      [{ apiCertificate: file('other.key') }, 'init_invalid'],
      [{ providerKey: file('other.key') }, 'x5c_key_mismatch'],
      [{ folder: join(folder, 'x'.repeat(90)) }, 'runtime_folder_too_long'],
    ]
    const whole: InitOptions = {
      folder: join(folder, 'wrong'),
      agent: ['invoice-bot'],
      clientId: 'acme-bots',
      issuer: 'https://issuer.example',
      type: ['https://issuer.example/types/agent-role/v1'],
      issuerAnchors: file('ca.pem'),
      api: 'https://api.example',
      apiCertificate: file('leaf.pem'),
      apiAnchors: file('ca.pem'),
      claim: ['role'],
      provider: 'https://provider.example',
      providerKey: file('leaf.key'),
      providerCertificates: file('leaf.pem'),
    }
    for (const [more, code] of wrong) {
      expect(() => init({ ...whole, ...more })).toThrow(expect.objectContaining({ code }))
      expect(existsSync(join(folder, 'wrong'))).toBe(false)
    }
    expect(init(whole).written).toHaveLength(7)
  })
})
