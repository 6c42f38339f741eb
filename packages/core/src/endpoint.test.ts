import { describe, expect, test } from 'vitest'
import { endpoint } from './endpoint.js'
import { ProtocolError, VerificationError } from './errors.js'
import type { LogFields } from './log.js'

const request = new Request('https://a.example/')

function build(work: () => Promise<Response>) {
  const lines: { level: string; event: string; fields: LogFields | undefined }[] = []
  const write = (level: string) => (event: string, fields?: LogFields) => {
    lines.push({ level, event, fields })
  }
  const handle = endpoint(work, {
    statuses: { invalid_client: 401 },
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    random: (count) => new Uint8Array(count),
    event: 'issuer.token',
  })
  return { lines, answer: () => handle(request, {}) }
}

describe('endpoint', () => {
  test('answers a ProtocolError with its status, members and headers, and logs it under the same id', async () => {
    const { lines, answer } = build(async () => {
      throw new ProtocolError('invalid_client', 'Say "who" you are\\.', {
        headers: { 'DPoP-Nonce': 'n' },
        members: { auth_session: 's' },
        cause: new VerificationError('jws_signature', 'The signature is wrong.'),
      })
    })
    const response = await answer()

    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({
      error: 'invalid_client',
      error_description: 'Say  who  you are .',
      auth_session: 's',
    })
    expect(response.headers.get('DPoP-Nonce')).toBe('n')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      level: 'warn',
      event: 'issuer.token.refused',
      fields: {
        code: 'invalid_client',
        cause: 'jws_signature',
        request_id: response.headers.get('X-Request-Id'),
      },
    })
  })

  test('answers an unlisted code with 400, and request_too_large with 413', async () => {
    const unlisted = build(async () => {
      throw new ProtocolError('constructor', 'An inherited name is no status.')
    })
    const large = build(async () => {
      throw new ProtocolError('request_too_large', 'Send less.')
    })
    expect((await unlisted.answer()).status).toBe(400)
    expect((await large.answer()).status).toBe(413)
  })

  test('answers a fault with server_error and tells nothing of it, in the answer or in the log', async () => {
    const { lines, answer } = build(async () => {
      throw new Error('secret-canary')
    })
    const response = await answer()

    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({ error: 'server_error' })
    expect(lines[0]?.level).toBe('error')
    expect(JSON.stringify(lines)).not.toContain('secret-canary')
  })

  test('puts the request id on a good answer as well', async () => {
    const { answer } = build(async () => Response.json({}))
    expect((await answer()).headers.get('X-Request-Id')).toMatch(/^req_[A-Za-z0-9_-]{22}$/)
  })
})
