/**
 * Retrieval: one GET for one Status List, the same for every credential on it.
 *
 * The request carries the URI, `Accept` and, when a copy is held, its validator; nothing about any credential.
 * Redirects are refused by the outgoing fetch: the standard lets a client follow them, and a bound of none is a
 * bound.
 *
 * Source: Token Status List -20, sections 8.1, 8.2, 11.4 and 12.1.
 *
 * @module
 */
import { mediaType, type OutboundFetch, VerificationError } from '@attache/core'
import { MAX_STATUS_LIST_TOKEN_LENGTH, STATUS_LIST_MEDIA_TYPE } from './status-list-token.js'

/** What came back. */
export type Retrieved =
  | { readonly state: 'token'; readonly token: string; readonly etag: string | undefined }
  | { readonly state: 'unchanged' }

/** How a list is fetched. */
export interface RetrievalOptions {
  readonly fetch: OutboundFetch
  /** Validator of the copy that is held. */
  readonly etag?: string | undefined
  /** @default 24 MB */
  readonly maxBytes?: number | undefined
}

/**
 * Fetches a Status List Token, or learns that the copy is current.
 *
 * @throws {VerificationError} `status_unavailable`: no answer, another status than 200 and 304, another media type.
 */
export async function retrieveStatusList(uri: string, options: RetrievalOptions): Promise<Retrieved> {
  const { etag, maxBytes = MAX_STATUS_LIST_TOKEN_LENGTH } = options
  const condition = etag === undefined ? {} : { 'If-None-Match': etag }
  const headers = { Accept: STATUS_LIST_MEDIA_TYPE, ...condition }
  const response = await answer(() =>
    options.fetch(uri, { headers, maxBytes, contentTypes: [STATUS_LIST_MEDIA_TYPE] }),
  )

  if (response.status === 304 && etag !== undefined) return { state: 'unchanged' }
  if (response.status !== 200) throw unavailable(`it was answered with ${response.status}`)
  if (mediaType(response.headers) !== STATUS_LIST_MEDIA_TYPE) throw unavailable('it has another media type')
  const token = await answer(() => response.text())
  return { state: 'token', token, etag: response.headers.get('ETag') ?? undefined }
}

async function answer<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (cause) {
    throw unavailable('it was not answered', cause)
  }
}

const unavailable = (what: string, cause?: unknown) =>
  new VerificationError('status_unavailable', `The Status List was asked for, but ${what}.`, { cause })
