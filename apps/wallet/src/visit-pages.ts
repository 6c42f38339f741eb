/**
 * What a visiting browser sees: one page in three states, with stable ids, and nothing it could run.
 *
 * A page says that something worked or did not; why is said to the operator, and to whoever holds the token of
 * the status API. Nothing that a peer sent stands on a page.
 *
 * Source: requirements/interoperability.md, IOP-W-01.
 *
 * @module
 */
import { NO_STORE } from '@attache/core'
import type { Visit } from './visits.js'

/** Ids of the element `main`: for peers that look for them. */
export type PageId = 'success' | 'error' | 'waiting'

const WORDS: Readonly<Record<PageId, readonly [title: string, text: string]>> = {
  success: ['Done', 'The wallet has finished. This page can be closed.'],
  error: ['Not done', 'The wallet did not go on. Its operator can see why.'],
  waiting: ['Waiting', 'The wallet waits for its operator or its issuer. This page looks again by itself.'],
}

const HEADERS = {
  ...NO_STORE,
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

/** The answer for a browser: the page of a visit, or where it goes on. */
export function answerVisit(visit: Visit): Response {
  if (visit.continueAt !== undefined) {
    return new Response(null, { status: 303, headers: { ...HEADERS, Location: visit.continueAt } })
  }
  const id = visit.state === 'running' ? 'waiting' : visit.state
  return page(id, { status: 200, visit: visit.id })
}

/** A page without a visit. */
export function answerPage(
  id: PageId,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return page(id, { status, headers })
}

function page(
  id: PageId,
  told: {
    readonly status: number
    readonly visit?: string
    readonly headers?: Readonly<Record<string, string>>
  },
): Response {
  const { status, visit, headers } = told
  const [title, text] = WORDS[id]
  const again = id === 'waiting' && visit !== undefined
  const refresh = again ? `<meta http-equiv="refresh" content="2;url=/visits/${visit}">` : ''
  const name = visit === undefined ? '' : `<p id="visit">${visit}</p>`
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">${refresh}<title>${title}</title></head><body><main id="${id}"><h1>${title}</h1><p>${text}</p>${name}</main></body></html>\n`
  return new Response(html, { status, headers: { ...HEADERS, ...headers } })
}
