/**
 * Answers that the API announced as signed: nothing of them reaches the agent before the wallet has said yes.
 *
 * Owns holding an answer back and asking. What a good signature is, and whose key counts, only the wallet knows.
 *
 * Source: RFC 9421, section 2.4; requirements/sender-constraint.md, HMS-R-04.
 *
 * @module
 */
import type { WireRequest } from './https-transport.js'
import {
  digestBody,
  messageParts,
  parseVerdict,
  RESPONSE_PATH,
  writeResponseReport,
} from './message-protocol.js'
import { readAtMost } from './request-body.js'
import { callSocket } from './socket-call.js'
import type { WalletAddress } from './wallet-address.js'

/**
 * Reads an answer whole and has its signature verified.
 *
 * @param sent The request as it was sent, the wallet's headers included.
 * @returns The answer, its body in memory.
 * @throws {TypeError} `response_signature`: the answer is not what the API signed, or not signed at all;
 *   `response_too_large`.
 */
export async function requireSignedResponse(
  response: Response,
  sent: WireRequest,
  options: { readonly wallet: WalletAddress; readonly maxBytes: number },
): Promise<Response> {
  const bytes = await readAtMost(response.body, { maxBytes: options.maxBytes, signal: sent.signal })
  if (bytes === 'too_large') {
    throw refused(
      'response_too_large',
      `The signed answer has more than ${options.maxBytes} bytes. Raise maxBodyBytes.`,
    )
  }
  const report = {
    method: sent.method,
    url: sent.url.href,
    status: response.status,
    request: messageParts(sent.headers, await digestBody(sent.body)),
    response: messageParts(response.headers, await digestBody(bytes)),
  }
  const reply = await callSocket({
    ...options.wallet,
    method: 'POST',
    path: RESPONSE_PATH,
    body: writeResponseReport(report),
    ...(sent.signal === undefined ? {} : { signal: sent.signal }),
  })
  if (reply.status !== 200 || !parseVerdict(reply.value)) {
    throw refused(
      'response_signature',
      'The answer is not signed as the API announced: somebody on the way changed it. It was thrown away.',
    )
  }
  const { status, statusText, headers } = response
  const whole = new Response(response.body === null ? null : Buffer.from(bytes ?? []), {
    status,
    statusText,
    headers,
  })
  Object.defineProperty(whole, 'url', { value: response.url })
  return whole
}

/**
 * For a call that went out without a token, where only signed answers count: nobody can have signed one for it, so
 * whatever is not the refusal that makes the wallet fetch a token is somebody else's answer.
 *
 * @throws {TypeError} `response_signature`.
 */
export async function refuseUnsigned(response: Response): Promise<void> {
  if (response.status === 401 || response.status === 403) return
  await response.body?.cancel()
  throw refused(
    'response_signature',
    'The API must sign its answers, and this one came for a call that nobody authorized. It was thrown away.',
  )
}

function refused(code: string, message: string): TypeError & { readonly code: string } {
  return Object.assign(new TypeError(message), { code })
}
