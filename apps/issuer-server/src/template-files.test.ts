import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore } from '@attache/core'
import { createConfiguredFiles } from '@attache/daemon'
import { createDirectory } from '@attache/issuer'
import { afterAll, describe, expect, test } from 'vitest'
import { DIRECTORY_FACTS, readTemplate } from './template-files.js'

const NOW = 1_790_000_000
const ISSUER = 'https://issuer.example'
const folder = mkdtempSync(join(tmpdir(), 'attache-templates-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function readFrom(claim: string) {
  const text = `id: role\nversion: 1\nvct: /types/role\nname: Role\nlifetime_days: 30\nclaims:\n  - ${claim}\n`
  writeFileSync(join(folder, 'role.yaml'), text)
  return readTemplate('role.yaml', createConfiguredFiles(folder), ISSUER)
}

describe('readTemplate', () => {
  test('knows every fact that a directory has, and no other', async () => {
    const directory = createDirectory({ store: createMemoryStore({ clock: () => NOW }), tenant: 'test' })
    const person = {
      employee_id: 'E-1',
      family_name: 'Okafor',
      given_name: 'Ngozi',
      email: 'ngozi@acme.example',
      birth_date: '1984-03-12',
      role: 'Manager',
      region: 'EU',
      department: 'Sales',
      salary_band: 'B7',
      leave_date: '',
      status: 'active',
    }
    await directory.importPeople([{ line: 2, cells: person }], NOW)
    const agent = { agent: 'bot', owner: 'E-1', purpose: 'Sends' }
    await directory.importAgents([{ line: 2, cells: agent }], NOW)
    const facts = Object.entries((await directory.find('bot', NOW))?.facts ?? {}).flatMap(([of, known]) =>
      Object.keys(Object(known)).map((name) => `${of}.${name}`),
    )

    expect(facts.sort()).toEqual(DIRECTORY_FACTS)
    for (const fact of facts) expect(readFrom(`{ name: x, from: ${fact} }`).claims).toHaveLength(1)
  })

  test('refuses a fact that nobody knows, with the nearest one and the file', () => {
    expect(() => readFrom('{ name: role, from: owner.rol }')).toThrow(
      'The claim role comes from owner.rol, which nobody knows. Did you mean owner.role? File: role.yaml',
    )
  })

  test('names the file of every other mistake too', () => {
    expect(() => readFrom('{ name: role, form: owner.role }')).toThrow(/\. File: role\.yaml$/)
  })
})
