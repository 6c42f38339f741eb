/**
 * Reading the pages of the options: what cannot work stops the start.
 *
 * Source: OpenID4VP 1.0, sections 5.5 and 6.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { DrawQr, PresentationPage } from './presentation-page.js'
import { readOwnQuery } from './requirement.js'
import type { Settings } from './settings.js'

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/
const SCRIPTED = /^(javascript|data|vbscript|blob|file|about|http):/i

/**
 * Reads the pages of the options.
 *
 * @param qr Of the deps; wanted where a page allows another device.
 * @throws {TypeError} `page_name`, `page_text`, `page_qr`, `page_wallet`, `page_continue`, `query_xor_scope`, or as `readOwnQuery`.
 */
export function readPages(settings: Settings, qr: DrawQr | undefined): ReadonlyMap<string, PresentationPage> {
  const pages = Object.entries(settings.pages)
  for (const [name, page] of pages) checkPage(name, page, { settings, qr })
  return new Map(pages)
}

function checkPage(
  name: string,
  page: PresentationPage,
  { settings, qr }: { readonly settings: Settings; readonly qr: DrawQr | undefined },
): void {
  if (!NAME.test(name))
    throw refused('page_name', 'A page is named by lower-case letters, digits and hyphens.')
  if (page.title.trim() === '' || page.purpose.trim() === '') {
    throw refused('page_text', `The page ${name} needs a title and a purpose.`)
  }
  if (page.crossDevice === true && qr === undefined) {
    throw refused('page_qr', `The page ${name} is for other devices too and needs deps.qr.`)
  }
  for (const { url } of page.wallets ?? []) {
    if (SCRIPTED.test(url) || !URL.canParse(url)) {
      throw refused('page_wallet', `A wallet of the page ${name} has no https URL and no scheme of its own.`)
    }
  }
  const { continueTo = settings.origin } = page
  if (
    !URL.canParse(continueTo) ||
    new URL(continueTo).origin !== settings.origin ||
    continueTo.includes('#')
  ) {
    throw refused('page_continue', `The page ${name} continues at a URL of this origin, without fragment.`)
  }
  // A scope of the options was checked with them.
  if (page.query !== undefined) readOwnQuery(page.query, settings)
  const { query, scope } = page
  const unknown = scope !== undefined && !Object.hasOwn(settings.presentationScopes, scope)
  if ((query === undefined) === (scope === undefined) || unknown) {
    throw refused('query_xor_scope', `The page ${name} has either a query or a scope that the options name.`)
  }
}

function refused(code: string, message: string) {
  return configurationError(code, message)
}
