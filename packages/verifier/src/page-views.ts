/**
 * What a person sees while presenting: the question, the way to a wallet, and what became of it.
 *
 * Owns words and HTML. Values stand on the last page alone; a refusal names the check that failed and what to do,
 * never a value.
 *
 * Source: WAI-ARIA 1.2, sections 5.3.5 and 6.6; ISO/IEC 18004 (quiet zone); SVG 2, section 5.7 (title).
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonValue, member } from '@attache/core'
import { PRESENTATION_REASONS, type PresentationReason } from './errors.js'
import { escapeHtml, type PageContent } from './page-document.js'
import { FOLLOW_SCRIPT } from './page-scripts.js'
import type { Presentation, PresentedCredential } from './presentation.js'
import type { PresentationPage, QrModules } from './presentation-page.js'
import type { Refused } from './transaction.js'

/** The page that asks. */
export function questionView(page: PresentationPage): PageContent {
  const other =
    page.crossDevice === true
      ? '<p><button id="other-device" type="submit" name="device" value="other">My wallet is on another device</button></p>'
      : ''
  return {
    title: page.title,
    body: `<p id="purpose">${escapeHtml(page.purpose)}</p>
<form method="post"><p><button id="this-device" type="submit" name="device" value="this">My wallet is on this device</button></p>${other}</form>`,
  }
}

/** The page that waits for a wallet on this device. */
export function linksView(
  page: PresentationPage,
  links: readonly { readonly name: string; readonly url: string }[],
): PageContent {
  const items = links.map(
    ({ name, url }) => `<li><a class="wallet" href="${escapeHtml(url)}">${escapeHtml(name)}</a></li>`,
  )
  return waiting(
    page,
    `<p>Open your wallet. This page goes on by itself.</p><ul id="wallets">${items.join('')}</ul>`,
  )
}

/** The page that waits for a wallet on another device. */
export function qrView(page: PresentationPage, url: string, qr: QrModules): PageContent {
  return waiting(
    page,
    `<p>Scan this with your wallet. This page goes on by itself.</p>${drawing(qr)}
<p>Scan only a code that you asked for yourself: whoever shows it sees what you present.</p>
<details><summary>The code as a link</summary><p id="request-url">${escapeHtml(url)}</p></details>`,
  )
}

function waiting(page: PresentationPage, body: string): PageContent {
  return {
    title: page.title,
    body: `<p id="purpose">${escapeHtml(page.purpose)}</p>${body}<p id="state">Waiting for your wallet.</p>`,
    script: FOLLOW_SCRIPT,
    refreshWithoutScript: true,
  }
}

const PATTERN_QUIET_ZONE = 4

// The text alternative does not repeat the link: reading it aloud helps nobody.
function drawing({ size, data }: QrModules): string {
  const strokes: string[] = []
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (data[row * size + column])
        strokes.push(`M${column + PATTERN_QUIET_ZONE} ${row + PATTERN_QUIET_ZONE}h1v1h-1z`)
    }
  }
  const side = size + 2 * PATTERN_QUIET_ZONE
  return `<svg id="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" role="img" aria-labelledby="qr-title" shape-rendering="crispEdges"><title id="qr-title">QR code for your wallet</title><rect width="${side}" height="${side}" fill="#fff"/><path fill="#000" d="${strokes.join('')}"/></svg>`
}

/** The page of a window that began, when the wallet opened another one for the result. */
export function elsewhereView(page: PresentationPage): PageContent {
  return {
    title: page.title,
    announcement: 'Your wallet has answered. Go on in the window that it opened.',
    body: '<p id="state">Your wallet has answered. Go on in the window that it opened.</p>',
  }
}

/** The page that shows what was verified. */
export function verifiedView(
  page: PresentationPage,
  { credentials }: Presentation,
  handle: string,
): PageContent {
  return {
    title: page.title,
    announcement: 'Verified.',
    body: `<p id="state"><strong>Verified.</strong> This is what your wallet showed:</p>${credentials.map(credentialList).join('')}${onwards(page, handle)}`,
  }
}

function onwards({ continueTo }: PresentationPage, handle: string): string {
  if (continueTo === undefined) return ''
  const url = `${continueTo}${continueTo.includes('?') ? '&' : '?'}transaction=${handle}`
  return `<p><a class="wallet" id="continue" href="${escapeHtml(url)}">Continue</a></p>`
}

function credentialList({ issuer, vct, claims, replayable }: PresentedCredential): string {
  // By name: as they come, claims stand in the order of their random digests.
  const names = Object.keys(claims).sort()
  const entries = names.map(
    (name) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(readable(member(claims, name) ?? null))}</dd>`,
  )
  const unbound = replayable
    ? '<p>It is not bound to a wallet: anybody who saw it can show it again.</p>'
    : ''
  return `<section class="credential"><h2>Issued by ${escapeHtml(issuer)}</h2><p>Type: ${escapeHtml(vct)}</p>${unbound}<dl>${entries.join('')}</dl></section>`
}

function readable(value: JsonValue): string {
  return isJsonArray(value) || isJsonObject(value) ? JSON.stringify(value) : String(value)
}

/** The page that says which check failed, and what to do. */
export function refusedView(page: PresentationPage, reason: Refused['reason'], again: string): PageContent {
  const said =
    reason === 'denied' ? 'Your wallet answered that it does not present.' : PRESENTATION_REASONS[reason]
  return {
    title: page.title,
    announcement: `Not verified. ${said}`,
    body: `<p id="state"><strong>Not verified.</strong> <span id="reason" data-code="${reason}">${escapeHtml(said)}</span></p>
<p id="next">${escapeHtml(nextStep(reason))}</p>${startAgain(again)}`,
  }
}

/** The page of a transaction that ended without an answer, or of another browser. */
export function overView(page: PresentationPage, again: string): PageContent {
  const said = 'There is nothing here: the time is over, or this was begun in another browser.'
  return {
    title: page.title,
    announcement: said,
    body: `<p id="state">${said}</p>${startAgain(again)}`,
  }
}

/** A page for a request that leads nowhere. */
export function messageView(title: string, message: string): PageContent {
  return { title, body: `<p id="state" role="alert">${escapeHtml(message)}</p>` }
}

function startAgain(url: string): string {
  return `<p><a class="wallet" id="again" href="${escapeHtml(url)}">Start again</a></p>`
}

const ABOUT_CREDENTIAL: readonly string[] = [
  'credential_expired',
  'credential_not_yet_valid',
  'status_invalid',
  'issuer_untrusted',
  'vct_mismatch',
  'claim_missing',
  'value_mismatch',
  'authority_mismatch',
  'holder_binding_missing',
  'query_unsatisfied',
  'credential_set_unsatisfied',
] satisfies readonly PresentationReason[]

function nextStep(reason: Refused['reason']): string {
  if (reason === 'denied') return 'Start again if that was not meant.'
  if (reason === 'status_unavailable') return 'That is not your fault. Start again in a minute.'
  if (ABOUT_CREDENTIAL.includes(reason)) {
    return 'Present another credential, or ask its issuer for a new one, and start again.'
  }
  return 'Start again. If it happens again, tell whoever makes your wallet the sentence above.'
}
