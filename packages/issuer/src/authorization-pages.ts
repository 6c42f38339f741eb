/**
 * The pages of the authorization code flow: sign-in, consent, error.
 *
 * Owns the HTML: plain forms without scripts, labelled for screen readers, with stable element ids (they are in
 * the README), and the header fields that keep a page out of frames and caches. Everything from outside is
 * escaped. What went wrong has the focus when its page opens, so that a screen reader says it first.
 *
 * Source: OpenID4VCI 1.0, section 15.1; FAPI 2.0 Security Profile, sections 5.2.3 and 5.3.2.2; RFC 9700,
 * section 4.16; WCAG 2.2, criteria 2.4.2, 2.5.5, 3.3.1 and 4.1.2.
 *
 * @module
 */
import { utf8 } from '@attache/core'
import { sha256 } from '@attache/keys'

/** What the sign-in page needs. */
export interface SignInPage {
  readonly action: string
  readonly interaction: string
  /** Shown when the last attempt failed. */
  readonly failed: boolean
}

/** What the consent page needs. */
export interface ConsentPage {
  readonly action: string
  readonly interaction: string
  readonly clientId: string
  readonly person: string
  readonly agents: readonly string[]
  readonly credentials: readonly {
    readonly name: string
    readonly description: string | undefined
    readonly claims: readonly string[]
  }[]
}

/** The sign-in page. */
export function signInPage(page: SignInPage): string {
  const failed = page.failed ? alert('sign-in-failed', 'Name and password do not fit. Try again.') : ''
  const wrong = page.failed ? ' aria-invalid="true" aria-describedby="sign-in-failed"' : ''
  return document(
    { heading: 'Sign in', title: page.failed ? 'Error: Sign in' : 'Sign in' },
    `${failed}<form id="sign-in-form" method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="interaction" value="${escapeHtml(page.interaction)}">
<p><label for="username">Name</label><br><input id="username" name="username" autocomplete="username" required${wrong}${page.failed ? '' : ' autofocus'}></p>
<p><label for="password">Password</label><br><input id="password" name="password" type="password" autocomplete="current-password" required${wrong}></p>
<p><button id="sign-in" type="submit">Sign in</button></p>
</form>`,
  )
}

/** The consent page: who asks, for what, about which agent. */
export function consentPage(page: ConsentPage): string {
  const credentials = page.credentials.map(credentialSection)
  const agents = page.agents.map(
    (agent) => `<option value="${escapeHtml(agent)}">${escapeHtml(agent)}</option>`,
  )
  return document(
    { heading: 'Issue a credential?' },
    `<p>You are signed in as <strong id="person">${escapeHtml(page.person)}</strong>.</p>
<p>The wallet <strong id="client">${escapeHtml(page.clientId)}</strong> asks for this credential, to act in the role it states:</p>
${credentials.join('')}
<form id="consent-form" method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="interaction" value="${escapeHtml(page.interaction)}">
<p><label for="agent">Agent</label><br><select id="agent" name="agent">${agents.join('')}</select></p>
<p><button id="approve" type="submit" name="decision" value="approve">Approve</button>
<button id="deny" type="submit" name="decision" value="deny">Deny</button></p>
</form>`,
  )
}

function credentialSection(
  { name, description, claims }: ConsentPage['credentials'][number],
  at: number,
): string {
  const id = `credential-${at + 1}`
  const about = description === undefined ? '' : `<p>${escapeHtml(description)}</p>`
  const items = claims.map((claim) => `<li>${escapeHtml(claim)}</li>`)
  return `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(name)}</h2>${about}<ul class="claims">${items.join('')}</ul></section>`
}

/** The page for a request that leads nowhere: nobody is redirected. */
export function errorPage(error: { readonly code: string; readonly message: string }): string {
  return document(
    { heading: 'This request cannot go on' },
    alert('authorization-error', error.message, ` data-error="${escapeHtml(error.code)}"`),
  )
}

// The focus goes here without a script, and on by Tab to the first field.
function alert(id: string, message: string, more = ''): string {
  return `<p id="${id}" role="alert" tabindex="-1" autofocus${more}>${escapeHtml(message)}</p>`
}

/**
 * A page as an answer.
 *
 * @param redirectUri Where the form's answer may lead: browsers hold `form-action` against redirects, too.
 */
export function pageResponse(
  status: number,
  html: string,
  options: { readonly redirectUri?: string | undefined; readonly cookie?: string | undefined } = {},
): Response {
  const target = options.redirectUri === undefined ? '' : ` ${new URL(options.redirectUri).origin}`
  return new Response(html, {
    status,
    headers: {
      ...PAGE_HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src '${STYLE_HASH}'; form-action 'self'${target}; frame-ancestors 'none'; base-uri 'none'`,
      ...(options.cookie === undefined ? {} : { 'Set-Cookie': options.cookie }),
    },
  })
}

/** What every answer of the authorization endpoint carries. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Strict-Transport-Security': 'max-age=31536000',
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
}

// Controls of 44 pixels and more: room for a finger. A long name breaks rather than widening the page.
const STYLE =
  ':root{color-scheme:light dark}' +
  'body{overflow-wrap:anywhere;font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}' +
  'button,input,select{font:inherit;padding:.5rem .75rem;min-height:2.75rem;min-width:2.75rem;max-width:100%;box-sizing:border-box}' +
  'input,select{width:100%}button{margin:0 .5rem .5rem 0}'
// Names this one style sheet, so that no other one, and no style attribute, has any effect.
const STYLE_HASH = `sha256-${Buffer.from(sha256(utf8(STYLE))).toString('base64')}`

function document(page: { readonly heading: string; readonly title?: string }, body: string): string {
  const { heading, title = heading } = page
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(heading)}</h1>${body}</main></body></html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
