/**
 * The port for outgoing calls. The guarded fetch is behind it everywhere but in tests.
 *
 * @module
 */

/** One outgoing call; every limit has a default. */
export interface OutboundRequest {
  /** @default `GET` */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Most bytes of the answer's body, after content decoding. @default 262144 */
  readonly maxBytes?: number
  /** Time for the whole call, in milliseconds. @default 3000 */
  readonly timeoutMs?: number
  /** Media types accepted on a 2xx answer with a body; none named accepts any. */
  readonly contentTypes?: readonly string[]
  /** `return` hands a redirect to the caller, who judges where it leads. None is ever followed. @default `refuse` */
  readonly redirects?: 'refuse' | 'return'
  readonly signal?: AbortSignal
}

/**
 * Calls an https URL.
 *
 * @returns The answer, whatever its status, its body already read and bounded.
 * @throws {VerificationError} a `fetch_…` code of {@link OUTBOUND_ERRORS}.
 */
export type OutboundFetch = (url: string, init?: OutboundRequest) => Promise<Response>

/** Why an outgoing call was refused or failed. */
export const OUTBOUND_ERRORS = {
  fetch_url_invalid: 'The URL is not absolute, or carries credentials.',
  fetch_not_https: 'Only https is called.',
  fetch_address_refused:
    'The host is, or resolves to, an internal address that the configuration does not allow.',
  fetch_redirect_refused: 'The answer is a redirect; none is followed.',
  fetch_timed_out: 'The call took longer than its limit.',
  fetch_too_large: 'The answer is larger than its limit.',
  fetch_content_type: 'The answer has another media type than asked for.',
  fetch_failed: 'The host could not be reached, or its TLS certificate is not trusted.',
} as const
