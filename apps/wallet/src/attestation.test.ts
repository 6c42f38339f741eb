import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConfiguredFiles } from '@attache/daemon'
import { afterAll, describe, expect, test } from 'vitest'
import { createConfiguredAttester, readWorkloadToken } from './attestation.js'
import { parseAttesterConfiguration } from './attester-configuration.js'
import { parseConfiguration } from './configuration.js'

const folder = mkdtempSync(join(tmpdir(), 'attache-attestation-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const walletProvider = { key: 'provider.key', certificates: 'provider.pem' }
const attestation = { attester: { url: 'https://attester.example', workloadTokenFile: 'token' } }
const configuration = (members: object) =>
  JSON.stringify({
    version: 1,
    profile: 'haip',
    dataFolder: 'data',
    runtimeFolder: 'run',
    masterKeys: ['master.key'],
    agents: [{ id: 'a', clientId: 'c' }],
    policy: { rules: 'rules.json' },
    ...members,
  })

describe('the configuration of a wallet', () => {
  test('names exactly one who vouches', () => {
    expect(parseConfiguration(configuration({ walletProvider })).attestation).toBeUndefined()
    expect(parseConfiguration(configuration({ attestation })).walletProvider).toBeUndefined()
    for (const members of [{}, { walletProvider, attestation }]) {
      expect(() => parseConfiguration(configuration(members))).toThrow(
        expect.objectContaining({
          code: 'configuration_malformed',
          message: expect.stringContaining('exactly one of walletProvider'),
        }),
      )
    }
  })

  test('is read strictly here too', () => {
    const misspelt = { attester: { ...attestation.attester, workloadTokenFiles: 'x' } }
    expect(() => parseConfiguration(configuration({ attestation: misspelt }))).toThrow(
      'attestation.attester.workloadTokenFiles. Did you mean workloadTokenFile?',
    )
  })

  test('needs no token at the start, and an attester that is an https URL', () => {
    const deps = { files: createConfiguredFiles(folder), fetch: async () => new Response() }
    expect(() => createConfiguredAttester({ attestation }, deps)).not.toThrow()
    for (const url of ['http://attester.example', 'https://attester.example?x=1', 'attester.example']) {
      const other = { attester: { ...attestation.attester, url } }
      expect(() => createConfiguredAttester({ attestation: other }, deps)).toThrow(
        expect.objectContaining({ code: 'attester_options_invalid' }),
      )
    }
  })
})

describe('readWorkloadToken', () => {
  const path = join(folder, 'token')
  const refused = { code: 'workload_token_unreadable', message: expect.stringContaining(path) }

  test('reads what lies there at this moment, without the line break of its writer [WL-05]', async () => {
    writeFileSync(path, 'aaa.bbb.ccc\n')
    expect(await readWorkloadToken(path)).toBe('aaa.bbb.ccc')
    writeFileSync(path, 'ddd.eee.fff')
    expect(await readWorkloadToken(path)).toBe('ddd.eee.fff')
  })

  test('names the file that has no token, and never what it holds', async () => {
    for (const text of ['', 'canary-text', 'canary..text', 'aaa.bbb.ccc canary', `a.${'b'.repeat(9000)}.c`]) {
      writeFileSync(path, text)
      const told = readWorkloadToken(path)
      await expect(told).rejects.toMatchObject(refused)
      await expect(told).rejects.not.toThrow('canary')
    }
    rmSync(path)
    await expect(readWorkloadToken(path)).rejects.toMatchObject(refused)
  })
})

describe('the README', () => {
  test('shows a configuration of an attester that is one', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const blocks = [...readme.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)
    const [block = ''] = blocks.filter((text) => text.includes('tokenIssuers'))
    expect(parseAttesterConfiguration(block)).toMatchObject({ rules: [{ id: 'payroll-export' }] })
  })
})
