/**
 * One GET for one JSON document: metadata that others publish.
 *
 * Owns the media type, the status and the strict parse. Which identifier a document must carry is checked by
 * whoever asked. Redirects, sizes, times and addresses are the guarded fetch's business.
 *
 * Source: RFC 8414, section 3.2; RFC 9728, section 3.2; OpenID4VCI 1.0, section 12.2.2.
 *
 * @module
 */
import { type JsonValue, type OutboundFetch, parseJson, VerificationError } from '@attache/core'

/**
 * Fetches a JSON document.
 *
 * @param what Name of the document in messages.
 * @throws {VerificationError} `metadata`: another status, or no strict JSON. The fetch's own codes.
 */
export async function fetchJsonDocument(
  url: string,
  what: string,
  deps: { readonly fetch: OutboundFetch },
): Promise<JsonValue> {
  const init = { headers: { accept: 'application/json' }, contentTypes: ['application/json'] }
  const response = await deps.fetch(url, init)
  if (response.status !== 200) {
    throw new VerificationError('metadata', `The ${what} answered with status ${response.status}.`)
  }
  const parsed = parseJson(await response.text())
  if (!parsed.ok) throw new VerificationError('metadata', `The ${what} is not well-formed JSON.`)
  return parsed.value
}
