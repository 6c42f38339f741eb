/**
 * The frame of every page this verifier shows: escaped text, one style, at most one script, both named by hash.
 *
 * Owns what keeps a page out of frames, caches and foreign hands. What a page says lies with whoever says it.
 *
 * Source: Content Security Policy Level 3, sections 2.3.1 and 6.1; WAI-ARIA 1.2, section 5.3.5 (status);
 * RFC 9700, section 4.16.
 *
 * @module
 */
import { utf8 } from '@attache/core'
import { sha256 } from '@attache/keys'

/** What a page says. */
export interface PageContent {
  readonly title: string
  /** HTML; every text from outside in it went through {@link escapeHtml}. */
  readonly body: string
  /** What a screen reader says when this page takes the place of another without being loaded anew. */
  readonly announcement?: string
  /** `data-` members of the page's one `main` element, for its script. */
  readonly data?: Readonly<Record<string, string>>
  /** A script of this room, never anything from outside. */
  readonly script?: string
  /** Reloads by itself every five seconds where scripts do not run. @default false */
  readonly refreshWithoutScript?: boolean
}

const STYLE =
  ':root{color-scheme:light dark}body{overflow-wrap:anywhere;font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:1rem auto;padding:0 1rem}' +
  'a.wallet,button{display:inline-block;font:inherit;padding:.75rem 1rem;margin:.25rem 0;max-width:100%;box-sizing:border-box;border:2px solid;border-radius:.5rem;background:none;color:inherit;text-decoration:none;cursor:pointer}' +
  'a.wallet:focus-visible,button:focus-visible{outline:3px solid;outline-offset:3px}h1:focus{outline:none}svg{display:block;width:min(20rem,100%);height:auto}#live{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}dt{font-weight:bold}dd{margin:0 0 .5rem}'

/**
 * Makes the answer that carries a page.
 *
 * @param headers Further header fields, such as a cookie.
 *
 * Source: Content Security Policy Level 3, section 6.1.
 */
export function pageResponse(
  status: number,
  content: PageContent,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { script } = content
  const scripts = script === undefined ? '' : ` script-src '${sourceHash(script)}'; connect-src 'self';`
  return new Response(document(content), {
    status,
    headers: {
      ...PAGE_HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src '${sourceHash(STYLE)}';${scripts} form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      ...headers,
    },
  })
}

/** What keeps an answer to a browser out of caches, frames and referrers. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  // `no-referrer` would make the Origin of our own forms `null` (Fetch, section 3.2).
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

/** Makes text of a text, whatever it holds. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function document({
  title,
  body,
  announcement,
  data = {},
  script,
  refreshWithoutScript,
}: PageContent): string {
  const members = Object.entries({ ...data, announcement: announcement ?? title })
    .map(([name, value]) => ` data-${name}="${escapeHtml(value)}"`)
    .join('')
  const refresh =
    refreshWithoutScript === true ? '<noscript><meta http-equiv="refresh" content="5"></noscript>' : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>${refresh}<style>${STYLE}</style></head>
<body><main${members}><h1 tabindex="-1">${escapeHtml(title)}</h1>${body}</main><p id="live" role="status" aria-live="polite"></p>
${script === undefined ? '' : `<script>${script}</script>`}</body></html>`
}

function sourceHash(text: string): string {
  return `sha256-${Buffer.from(sha256(utf8(text))).toString('base64')}`
}
