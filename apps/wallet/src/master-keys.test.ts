import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeBase64url } from '@attache/core'
import { createConfiguredFiles } from '@attache/daemon'
import { expect, test } from 'vitest'
import { readMasterKeys } from './master-keys.js'

const folder = mkdtempSync(join(tmpdir(), 'attache-keys-'))
const key = new Uint8Array(32).fill(7)
const random = (count: number) => new Uint8Array(count).fill(3)
const deps = { files: createConfiguredFiles(folder), random, credentialsFolder: undefined }
const write = (name: string, content: string) => writeFileSync(join(folder, name), content, { mode: 0o600 })

test('a key is a file, or a credential of the unit', async () => {
  write('master.key', `${encodeBase64url(key)}\n`)
  const [fromFile] = await readMasterKeys(['master.key'], deps)
  expect([...(fromFile?.key ?? [])]).toEqual([...key])
  const [fromUnit] = await readMasterKeys([{ credential: 'master.key' }], {
    ...deps,
    credentialsFolder: folder,
  })
  expect([...(fromUnit?.key ?? [])]).toEqual([...key])
  await expect(readMasterKeys([{ credential: 'master.key' }], deps)).rejects.toMatchObject({
    code: 'credentials_directory_missing',
  })
  for (const credential of ['../master.key', '..', 'a/b']) {
    await expect(
      readMasterKeys([{ credential }], { ...deps, credentialsFolder: folder }),
    ).rejects.toMatchObject({ code: 'credential_name_malformed' })
  }
})

test('a passphrase makes the same key at every start, with parameters of its own', async () => {
  write('passphrase', 'correct horse battery\n')
  const configured = [{ passphrase: 'passphrase', parameters: 'scrypt.json' }]
  const [first] = await readMasterKeys(configured, deps)
  const path = join(folder, 'scrypt.json')
  const stored = readFileSync(path, 'utf8')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const [again] = await readMasterKeys(configured, { ...deps, random: () => new Uint8Array(16).fill(9) })
  expect(again).toEqual(first)
  expect(readFileSync(path, 'utf8')).toBe(stored)
  expect(first?.key).toHaveLength(32)

  write('scrypt.json', '{"v":1,"kdf":"scrypt","N":2,"r":8,"p":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA"}')
  await expect(readMasterKeys(configured, deps)).rejects.toMatchObject({
    code: 'passphrase_parameters_invalid',
  })
  write('passphrase', 'short')
  await expect(readMasterKeys(configured, deps)).rejects.toMatchObject({ code: 'passphrase_too_short' })
})
