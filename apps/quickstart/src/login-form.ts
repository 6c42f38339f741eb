/**
 * A person in front of the issuer's pages, without a browser: forms are read and sent as a browser would.
 *
 * @module
 */
import { request } from 'node:https'

/** What the person types, and chooses at the end. */
export interface Choices {
  readonly username: string
  readonly password: string
  readonly agent: string
  readonly decision: 'approve' | 'deny'
}

interface Page {
  readonly status: number
  readonly html: string
  readonly cookie: string
  readonly location: string | undefined
}

/**
 * Signs in and decides.
 *
 * @param url Where the wallet sends the person.
 * @param ca Authority of the issuer's TLS certificate, PEM.
 * @returns The address the browser is sent to at the end.
 */
export async function answerLogin(url: string, choices: Choices, ca: string): Promise<string> {
  const { username, password, agent, decision } = choices
  const arrived = await send({ url, ca })
  const signedIn = await submit(arrived, { username, password }, ca)
  const { location, status } = await submit(signedIn, { agent, decision }, ca)
  if (status !== 303 || location === undefined) throw new Error(`The decision was answered with ${status}.`)
  return location
}

/** Sends the one form of a page, with what is hidden in it. */
async function submit(page: Page, fields: Readonly<Record<string, string>>, ca: string): Promise<Page> {
  const action = /<form [^>]*action="([^"]+)"/.exec(page.html)?.[1]
  const interaction = /name="interaction" value="([^"]+)"/.exec(page.html)?.[1]
  if (action === undefined || interaction === undefined) {
    const shown = /data-error="([^"]+)"/.exec(page.html)?.[1] ?? page.status
    throw new Error(`The issuer showed no form: ${shown}.`)
  }
  const form = new URLSearchParams({ interaction, ...fields }).toString()
  const sent = await send({ url: action, ca, form, cookie: page.cookie })
  return { ...sent, cookie: page.cookie }
}

function send(call: { url: string; ca: string; form?: string; cookie?: string }): Promise<Page> {
  const { url, ca, form, cookie = '' } = call
  const headers = {
    ...(cookie === '' ? {} : { Cookie: cookie }),
    ...(form === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }),
  }
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca, headers, method: form === undefined ? 'GET' : 'POST' }, (answer) => {
      let html = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        html += text
      })
      answer.once('error', reject)
      answer.once('end', () => {
        const [set = ''] = answer.headers['set-cookie'] ?? []
        const { location } = answer.headers
        resolve({ status: answer.statusCode ?? 0, html, cookie: set.split(';')[0] ?? '', location })
      })
    })
    outgoing.once('error', reject)
    outgoing.end(form)
  })
}
