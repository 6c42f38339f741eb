/**
 * The README of the issuer server names every code with which a configuration is refused.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CODE = /(?:configurationError|startUpError|misconfiguration)\(\s*'([a-z0-9_]+)'/g

/** Sources from which a start of the issuer server can be refused. */
const PLACES: readonly (readonly [string, RegExp])[] = [
  ['packages/issuer/src', /./],
  ['apps/issuer-server/src', /./],
  ['packages/daemon/src', /^(configured-files|start-up-error|https-listener)/],
  ['packages/storage/src', /^level/],
  ['packages/status-list/src', /^(status-lists|list-record)/],
  ['packages/openid4vci/src', /^(issuer-metadata-rules|display-rules)/],
  ['packages/keys/src', /^(algorithms|own-chain|seal)\.ts$/],
]

function codesIn(folder: string, files: RegExp): readonly string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => files.test(name) && !name.includes('.test.'))
  return names.flatMap((name) =>
    [...readFileSync(join(ROOT, folder, name), 'utf8').matchAll(CODE)].map(([, code = '']) => code),
  )
}

describe('the README of the issuer server', () => {
  const readme = readFileSync(join(ROOT, 'apps/issuer-server/README.md'), 'utf8')

  test.each(PLACES)('names the codes of %s', (folder, files) => {
    const codes = codesIn(folder, files)
    expect(codes.length).toBeGreaterThan(0)
    expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([])
  })

  test('names every element id of the pages', () => {
    const pages = readFileSync(join(ROOT, 'packages/issuer/src/authorization-pages.ts'), 'utf8')
    const ids = [...pages.matchAll(/ id="([a-z-]+)"|alert\('([a-z-]+)'/g)].map(([, id, alert]) => id ?? alert)
    expect(ids.length).toBeGreaterThan(8)
    expect(ids.filter((id) => !readme.includes(`\`${id}\``))).toEqual([])
  })
})
