import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type InboxFolder, openInboxFolder } from './inbox-folder.js'

const AGENT = 'payroll'
const folder = mkdtempSync(join(tmpdir(), 'inbox-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const names = () => readdirSync(join(folder, AGENT))
function pushAndRefuse(inbox: InboxFolder, link: string): void {
  expect(inbox.keep(AGENT, link)).toBe('kept')
  const [offer] = inbox.list().filter(({ from }) => from === 'push')
  if (offer === undefined) throw new Error('Nothing was kept.')
  inbox.refuse(offer)
}

describe('offers that were refused', () => {
  test('stay as far as one person can look at them: a flood of pushes does not fill the disk', () => {
    const inbox = openInboxFolder(folder, [AGENT])
    writeFileSync(join(folder, AGENT, 'by-hand.offer'), 'no link')
    const [own] = inbox.list()
    if (own === undefined) throw new Error('The offer is not seen.')
    inbox.refuse(own)
    for (let at = 0; at < 130; at += 1) pushAndRefuse(inbox, `link ${at}`)
    expect(names().length).toBeLessThanOrEqual(101)
    // What somebody put there by hand is theirs to take away.
    expect(names()).toContain('by-hand.refused')
    expect(inbox.keep(AGENT, 'link 129')).toBe('known')
  })
})
