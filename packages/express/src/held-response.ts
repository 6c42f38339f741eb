/**
 * A response that is held back until it is signed: whatever the route writes is collected, signed and sent at its end.
 *
 * The route notices nothing: `json`, `send`, `write` and `end` work as ever, in memory. What compresses or changes
 * the body has to stand behind the guard, between it and the route; in front of it, it would break the signature.
 *
 * @module
 */
import type { ServerResponse } from 'node:http'
import type { SignResponse } from '@attache/verifier'

/**
 * Holds a response back.
 *
 * @param sign Signs what the route answered.
 * @param fail Told when that failed; the response is untouched then.
 */
export function holdResponse(
  response: ServerResponse,
  sign: SignResponse,
  fail: (error: unknown) => void,
): void {
  const own = ['write', 'end', 'writeHead', 'flushHeaders'].map(
    (name) => [name, Reflect.get(response, name)] as const,
  )
  const chunks: Buffer[] = []
  const held = { begun: false, ended: false }
  // As without us: who wonders whether an error can still be answered is told that an answer has begun.
  Object.defineProperty(response, 'headersSent', { configurable: true, get: () => held.begun })
  const release = () => {
    for (const [name, method] of own) Reflect.set(response, name, method)
    Reflect.deleteProperty(response, 'headersSent')
  }
  const keep = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === 'string') chunks.push(Buffer.from(chunk, isEncoding(encoding) ? encoding : 'utf8'))
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk))
  }
  Object.assign(response, {
    write(chunk: unknown, ...rest: readonly unknown[]) {
      held.begun = true
      keep(chunk, rest[0])
      callBack(rest)
      return true
    },
    end(...given: readonly unknown[]) {
      // One answer is signed; a second end is as good as none.
      if (held.ended) return response
      Object.assign(held, { begun: true, ended: true })
      keep(given[0], given[1])
      signHeld(response, Buffer.concat(chunks), sign).then(
        (body) => {
          release()
          response.end(body)
          callBack(given)
        },
        (error: unknown) => {
          release()
          fail(error)
        },
      )
      return response
    },
    writeHead(status: number, ...rest: readonly unknown[]) {
      held.begun = true
      response.statusCode = status
      if (typeof rest[0] === 'string') response.statusMessage = rest[0]
      for (const [name, value] of fieldsOf(rest.at(-1))) response.setHeader(name, value)
      return response
    },
    // Nothing leaves before it is signed.
    flushHeaders() {
      held.begun = true
    },
  })
}

async function signHeld(response: ServerResponse, body: Buffer, sign: SignResponse): Promise<Buffer> {
  const headers = new Headers()
  for (const [name, value] of Object.entries(response.getHeaders())) {
    for (const one of [value].flat()) headers.append(name, String(one))
  }
  const status = response.statusCode
  const bodiless = body.length === 0 || [204, 205, 304].includes(status)
  const signed = await sign(new Response(bodiless ? null : new Uint8Array(body), { status, headers }))
  signed.headers.forEach((value, name) => {
    // These the route set itself; one of them may be there several times.
    if (name !== 'set-cookie' && name !== 'content-length') response.setHeader(name, value)
  })
  // Announced for less than was written, the rest would be read as the next answer of this connection.
  if (!bodiless && response.hasHeader('content-length')) response.setHeader('content-length', body.length)
  return body
}

function fieldsOf(fields: unknown): readonly (readonly [string, string | readonly string[]])[] {
  if (typeof fields !== 'object' || fields === null) return []
  if (Array.isArray(fields)) return pairsOf(fields)
  return Object.entries(fields).map(([name, value]) => [name, textOf(value)] as const)
}

// Node takes raw fields too: name, value, name, value; or pairs of them.
function pairsOf(fields: readonly unknown[]): readonly (readonly [string, string | readonly string[]])[] {
  const flat = fields.flat()
  return flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), textOf(flat[at + 1])] as const] : []))
}

function textOf(value: unknown): string | readonly string[] {
  return Array.isArray(value) ? value.map(String) : String(value)
}

function callBack(given: readonly unknown[]): void {
  const last = given.at(-1)
  if (typeof last === 'function') Reflect.apply(last, undefined, [])
}

function isEncoding(value: unknown): value is BufferEncoding {
  return typeof value === 'string' && Buffer.isEncoding(value)
}
