/**
 * The two scripts of our pages. They are constants: a page names them by hash and runs no other.
 *
 * Source: HTML Living Standard, section 9.2 (server-sent events); OpenID4VP 1.0, sections 5.6 and 8.1.
 *
 * @module
 */

/**
 * Follows a transaction and puts what became of it in place of the page's content, without loading anew.
 *
 * The stream says only that something happened; what it was is fetched from the page itself, which asks for the
 * cookie. Without streams the page loads anew now and then.
 */
export const FOLLOW_SCRIPT = `(() => {
  const main = document.querySelector('main[data-events]')
  if (!main) return
  const later = () => setTimeout(() => location.reload(), 5000)
  const show = async () => {
    const answer = await fetch(location.pathname, { cache: 'no-store' })
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const next = page.querySelector('main')
    main.replaceChildren(...next.childNodes)
    document.getElementById('live').textContent = next.dataset.announcement
    main.querySelector('h1').focus()
  }
  const source = new EventSource(main.dataset.events)
  source.addEventListener('state', ({ data }) => {
    if (data === 'waiting') return
    source.close()
    show().catch(later)
  })
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) later()
  })
})()`

/**
 * Posts the fragment a wallet brought to where answers go, and takes it out of the address first.
 *
 * Nothing of a query string is ever posted: a server and its logs would have seen it.
 */
export const FRAGMENT_SCRIPT = `(async () => {
  const main = document.querySelector('main[data-answers]')
  const body = location.hash.slice(1)
  history.replaceState(null, '', location.pathname)
  const say = (text) => {
    document.getElementById('state').textContent = text
    document.getElementById('live').textContent = text
  }
  if (body === '') return say('Your wallet brought no answer. Go back and start again.')
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  try {
    const answer = await fetch(main.dataset.answers, { method: 'POST', headers, body })
    const next = (answer.ok && (await answer.json()).redirect_uri) || main.dataset.afterwards
    if (next) location.replace(next)
    else say(answer.ok ? 'The presentation was received. You can close this page.' : 'The presentation is not accepted. Go back and start again.')
  } catch {
    say('The answer could not be sent. Go back and start again.')
  }
})()`
