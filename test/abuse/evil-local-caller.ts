/**
 * An evil local caller: says to a wallet socket whatever it likes, with whatever headers it likes.
 *
 * A program for every test that wants to know what a process, or a page in a browser, gets out of a wallet that
 * lies on the same host.
 *
 * @module
 */
import { request } from 'node:http'

export interface EvilCall {
  readonly socketPath: string
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What came back, as it was. */
export interface EvilAnswer {
  readonly status: number
  readonly text: string
}

export function callAsEvil(call: EvilCall): Promise<EvilAnswer> {
  const { socketPath, method = 'POST', path, headers = {}, body } = call
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath, method, path, headers: { ...headers }, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
