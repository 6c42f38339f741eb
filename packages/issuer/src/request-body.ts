/**
 * Reading the body of a protected endpoint, with the code that belongs to it.
 *
 * The generic reader says `invalid_request`; OpenID4VCI has codes of its own and forbids the generic one.
 *
 * Source: OpenID4VCI 1.0, sections 8.3.1.2 and 11.3.
 *
 * @module
 */
import { type JsonValue, ProtocolError, readJson } from '@attache/core'

const MAX_BODY_BYTES = 262_144

/** Reads a JSON body. @throws {ProtocolError} With `code`, or `request_too_large` (413). */
export async function readJsonBody(request: Request, code: string): Promise<JsonValue> {
  try {
    return await readJson(request, { maxBytes: MAX_BODY_BYTES })
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'invalid_request') {
      throw new ProtocolError(code, error.message, { cause: error })
    }
    throw error
  }
}
