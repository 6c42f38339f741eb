/**
 * A person in front of our issuer's pages, without a browser: forms are read and posted as one would.
 *
 * @module
 */

/** Whoever signs in at our issuer. */
export const OPERATOR = { username: 'ngozi', password: 'correct horse battery' } as const

/**
 * Signs in, chooses an agent and decides.
 *
 * @param url Where the wallet sent the browser.
 * @returns Where the issuer sent the browser.
 */
export async function approveInBrowser(
  url: string,
  choice: { readonly agent: string; readonly decision: 'approve' | 'deny' },
  fetch: typeof globalThis.fetch,
): Promise<string> {
  const arrived = await fetch(url)
  const cookie = (arrived.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const post = (page: string, fields: Readonly<Record<string, string>>) => {
    const { action, interaction } = formOf(page)
    const body = new URLSearchParams({ interaction, ...fields })
    return fetch(action, { method: 'POST', headers: { cookie }, body })
  }
  const signedIn = await post(await arrived.text(), OPERATOR)
  const decided = await post(await signedIn.text(), choice)
  const location = decided.headers.get('location')
  if (decided.status !== 303 || location === null) throw new Error(`No redirect: ${await decided.text()}`)
  return location
}

function formOf(page: string): { readonly action: string; readonly interaction: string } {
  const action = /<form [^>]*action="([^"]+)"/.exec(page)?.[1]
  const interaction = /name="interaction" value="([^"]+)"/.exec(page)?.[1]
  if (action === undefined || interaction === undefined) throw new Error(`No form: ${page}`)
  return { action, interaction }
}
