import { SILENT_LOG } from '@attache/core'
import { expect, test } from 'vitest'
import { createInbox } from './inbox.js'
import type { OfferFile } from './inbox-folder.js'

const LINK = 'openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fissuer.example%2Fnothing'

/** How many looks an offer takes up a place for when its address never holds one. */
async function looksUntilRefused(from: OfferFile['from']): Promise<number> {
  let offers: readonly OfferFile[] = [{ id: 'inb_1', agent: 'payroll', path: '/inbox/1', from, link: LINK }]
  const inbox = createInbox(100, {
    wallet: {
      inspectOffer: async () => ({ outcome: 'refused', code: 'invalid_offer', message: 'Nothing is there.' }),
      receive: async () => {
        throw new Error('Nobody receives this.')
      },
    },
    folder: {
      list: () => offers,
      keep: () => 'known',
      close: () => undefined,
      refuse: () => {
        offers = []
      },
    },
    log: SILENT_LOG,
  })
  let looks = 0
  for (; offers.length > 0; looks += 1) await inbox.look()
  return looks
}

test('an address without an offer keeps its place for a while where somebody carried it here, shortly where anybody pushed it', async () => {
  expect(await looksUntilRefused('folder')).toBeGreaterThan(500)
  expect(await looksUntilRefused('push')).toBeLessThan(40)
})
