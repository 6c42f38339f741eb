import { type LogFields, SILENT_LOG, VerificationError } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { createTypeNames } from './type-names.js'

const NOW = 1_790_000_000
const VCT = 'https://issuer.example/types/role'
const json = (body: unknown) =>
  new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } })
const named = (display: readonly object[]) => ({ vct: VCT, display })

function memory(answer: () => Response, vcts: readonly string[] = [VCT]) {
  const asked: string[] = []
  const lines: [string, LogFields | undefined][] = []
  const fetch = async (url: string) => {
    asked.push(url)
    return answer()
  }
  const log = { ...SILENT_LOG, warn: (event: string, fields?: LogFields) => void lines.push([event, fields]) }
  return { names: createTypeNames({ vcts }, { fetch, log }), asked, lines }
}

describe('names of types', () => {
  test('come in the language that was asked for, once every few hours', async () => {
    const display = [
      { locale: 'en-US', name: 'Agent role' },
      { locale: 'de', name: 'Rolle des Agenten' },
    ]
    const { names, asked } = memory(() => json(named(display)))
    expect(names.nameOf({ vct: VCT }, ['de'])).toBeUndefined()
    await names.learn({ vct: VCT }, NOW)
    await names.learn({ vct: VCT }, NOW + 3_600)
    expect(names.nameOf({ vct: VCT }, ['de-AT', 'en'])).toBe('Rolle des Agenten')
    expect(names.nameOf({ vct: VCT }, ['en'])).toBe('Agent role')
    expect(names.nameOf({ vct: VCT }, ['fr'])).toBe('Agent role')
    expect(asked).toEqual([VCT])
    await names.learn({ vct: VCT }, NOW + 7 * 3_600)
    expect(asked).toHaveLength(2)
  })

  test('are one short line of plain text, whatever the publisher wrote', async () => {
    const hostile = `\u001b[31mAdmin\u0007\r\n\u202Eeslaf\u200b<b onclick=x>${'x'.repeat(400)}`
    const tags = [
      { locale: 'en', name: hostile },
      { locale: 'de"><script>', name: 'Never' },
      { locale: 'fr', name: '\u200b\u0000' },
    ]
    const { names } = memory(() => json(named(tags)))
    await names.learn({ vct: VCT }, NOW)
    const name = names.nameOf({ vct: VCT }, ['de']) ?? ''
    expect([...name].length).toBeLessThanOrEqual(80)
    expect(name).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(name.startsWith('[31mAdmin')).toBe(true)
    expect(names.nameOf({ vct: VCT }, ['fr'])).toBe(name)
  })

  test('are asked of no URL that is not configured, and of none that is no https URL', async () => {
    const other = 'https://issuer.example/types/other'
    const { names, asked } = memory(() => json(named([])), [VCT, 'urn:example:role'])
    await names.learn({ vct: other }, NOW)
    await names.learn({ vct: 'urn:example:role' }, NOW)
    expect(asked).toEqual([])
  })

  test('stay away where the metadata is wrong or cannot be had; the log names the check, not the document', async () => {
    const unavailable = () => {
      throw new VerificationError('fetch_failed', 'Nobody answers.')
    }
    const cases: readonly (readonly [() => Response, string])[] = [
      [unavailable, 'type_metadata_unavailable'],
      [() => json({ vct: `${VCT}/2`, display: [{ locale: 'en', name: 'Canary' }] }), 'type_metadata_vct'],
      [() => json(named([{ locale: 'en' }])), 'type_metadata_malformed'],
      [() => new Response('Canary', { status: 404 }), 'type_metadata_unavailable'],
    ]
    for (const [answer, code] of cases) {
      const { names, lines } = memory(answer)
      await names.learn({ vct: VCT }, NOW)
      expect(names.nameOf({ vct: VCT }, ['en'])).toBeUndefined()
      expect(lines).toEqual([['wallet.type_metadata', { vct: VCT, code }]])
    }
  })
})
