/**
 * The pages of the authorization code flow: sign-in, consent, error.
 *
 * Owns the HTML: plain forms without scripts, labelled for screen readers, with stable element ids, and the
 * header fields that keep a page out of frames and caches. Everything from outside is escaped.
 *
 * Source: OpenID4VCI 1.0, section 15.1; FAPI 2.0 Security Profile, sections 5.2.3 and 5.3.2.2; RFC 9700,
 * section 4.16.
 *
 * @module
 */

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
  const failed = page.failed
    ? '<p id="sign-in-failed" role="alert">Name and password do not fit. Try again.</p>'
    : ''
  return document(
    'Sign in',
    `${failed}<form id="sign-in-form" method="post" action="${escapeHtml(page.action)}">
<input type="hidden" name="interaction" value="${escapeHtml(page.interaction)}">
<p><label for="username">Name</label><br><input id="username" name="username" autocomplete="username" required autofocus></p>
<p><label for="password">Password</label><br><input id="password" name="password" type="password" autocomplete="current-password" required></p>
<p><button id="sign-in" type="submit">Sign in</button></p>
</form>`,
  )
}

/** The consent page: who asks, for what, about which agent. */
export function consentPage(page: ConsentPage): string {
  const credentials = page.credentials.map(
    ({ name, description, claims }) =>
      `<h2>${escapeHtml(name)}</h2>${description === undefined ? '' : `<p>${escapeHtml(description)}</p>`}<ul class="claims">${claims
        .map((claim) => `<li>${escapeHtml(claim)}</li>`)
        .join('')}</ul>`,
  )
  const agents = page.agents.map(
    (agent) => `<option value="${escapeHtml(agent)}">${escapeHtml(agent)}</option>`,
  )
  return document(
    'Issue a credential?',
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

/** The page for a request that leads nowhere: nobody is redirected. */
export function errorPage(error: { readonly code: string; readonly message: string }): string {
  return document(
    'This request cannot go on',
    `<p id="authorization-error" role="alert" data-error="${escapeHtml(error.code)}">${escapeHtml(error.message)}</p>`,
  )
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
      'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; form-action 'self'${target}; frame-ancestors 'none'; base-uri 'none'`,
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

function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>body{overflow-wrap:anywhere;font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}button,input,select{font:inherit;padding:.5rem;max-width:100%;box-sizing:border-box}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
