import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generatePrivateJwk, privateJwkToPem } from '@attache/keys'
import { afterAll, describe, expect, test } from 'vitest'
import { createConfiguredFiles } from './configured-files.js'

const folder = mkdtempSync(join(tmpdir(), 'attache-daemon-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const files = createConfiguredFiles(folder)
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return name
}

describe('createConfiguredFiles', () => {
  test('reads keys as PEM and as JWK', () => {
    const jwk = generatePrivateJwk('ES256')
    const fromPem = files.signer({ key: write('a.pem', privateJwkToPem(jwk)) })
    const fromJwk = files.signer({ key: write('a.json', JSON.stringify(jwk)) })

    expect(fromPem.kid).toBe(fromJwk.kid)
  })

  test('names a key by its file', () => {
    const key = files.secretKey(write('seal 1.key', `${Buffer.alloc(32, 7).toString('base64url')}\n`))

    expect(key.id).toBe('seal-1-key')
    expect(key.key).toHaveLength(32)
  })

  test('says which file is wrong, and nothing of what it holds', () => {
    const failures: readonly [string, () => unknown][] = [
      ['start_up_failed', () => files.text('missing')],
      ['secret_key_malformed', () => files.secretKey(write('short.key', 'secret-canary'))],
      ['token_malformed', () => files.token(write('short.token', 'secret-canary'))],
      ['private_key_malformed', () => files.signer({ key: write('broken.json', 'secret-canary') })],
      ['file_malformed', () => files.json(write('broken-too.json', '{"secret-canary"'))],
    ]
    for (const [code, read] of failures) {
      expect(read).toThrow(expect.objectContaining({ code }))
      expect(read).not.toThrow(/canary/)
    }
  })
})
