import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInternalAddress } from './addresses.js'
import { createGuardedFetch } from './guarded-fetch.js'

// A key pair and certificate for `localhost`, made for these tests. Public: trust it nowhere.
const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwOaujI4PopRLmWPR
37sjBVWsPX8UTjSHt156IpX1TpChRANCAAT1lC9MQtL32JEw2OVFcQ/Io/CPjr6J
jL2L2F1e7vFAZEv+HuL7+q/+RsdmEG6cr1KK9H5qln5juy8TNg+4nuK1
-----END PRIVATE KEY-----`

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUF0Gys5Nj3YEEbeRaP3uHgnrAQdswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA4MzUwMloYDzIxMjYxMDI5
MDgzNTAyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT1lC9MQtL32JEw2OVFcQ/Io/CPjr6JjL2L2F1e7vFAZEv+HuL7+q/+
RsdmEG6cr1KK9H5qln5juy8TNg+4nuK1o2kwZzAdBgNVHQ4EFgQUenvTd5C4azmr
Nlkki/IIkOvyaVIwHwYDVR0jBBgwFoAUenvTd5C4azmrNlkki/IIkOvyaVIwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgL6HPAwQkkAjGbIw53Dq+4+BExO5XV38tNeChULoTr3QCIBSMHUP/dozP
+G1wvrpgf0ufnRpySKvW/6FgMvauGa65
-----END CERTIFICATE-----`

let server: Server
let origin = ''
let requests = 0

beforeAll(async () => {
  server = createServer({ key: PRIVATE_KEY, cert: CERTIFICATE }, (request, response) => {
    requests += 1
    const routes: Record<string, () => void> = {
      '/json': () => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"a":1}'),
      '/html': () => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>'),
      '/missing': () => response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"a":1}'),
      '/redirect': () => response.writeHead(302, { Location: 'http://127.0.0.1/' }).end(),
      '/unchanged': () => response.writeHead(304, { ETag: '"1"' }).end(),
      '/gzip': () => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('x'),
      '/large': () => response.writeHead(200).end('x'.repeat(2000)),
      '/silent': () => {},
      '/drip': () => {
        response.writeHead(200)
        response.write('x')
      },
      '/echo': () => {
        request.pipe(response.writeHead(200, { 'X-Method': request.method ?? '' }))
      },
    }
    routes[request.url ?? '']?.()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? portOf(address) : 0
  origin = `https://localhost:${port}`
})

const portOf = (address: AddressInfo) => address.port

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const open = () => createGuardedFetch({ ca: [CERTIFICATE], allowPrivate: ['localhost'] })
const refused = (code: string) => expect.objectContaining({ name: 'VerificationError', code })

describe('createGuardedFetch', () => {
  test('calls an https host that the configuration allows, with body and method', async () => {
    const response = await open()(`${origin}/echo`, { method: 'POST', body: 'hello' })
    expect([response.status, response.headers.get('X-Method'), await response.text()]).toEqual([
      200,
      'POST',
      'hello',
    ])
  })

  test.each(['http://a.example/', 'file:///etc/passwd', 'ftp://a.example/', 'data:text/plain,x'])(
    'refuses %s: not https [VC-N-01]',
    async (url) => {
      await expect(open()(url)).rejects.toEqual(refused('fetch_not_https'))
    },
  )

  test('follows no redirect [VC-N-02, TSL-Q-06]', async () => {
    await expect(open()(`${origin}/redirect`)).rejects.toEqual(refused('fetch_redirect_refused'))
  })

  test.each([
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://10.1.2.3/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::ffff:127.0.0.1]/',
    'https://[fd00::1]/',
    'https://localhost/',
    'https://printer.local/',
    'https://db.internal/',
  ])('refuses %s before connecting: internal [VC-N-03]', async (url) => {
    await expect(createGuardedFetch()(url)).rejects.toEqual(refused('fetch_address_refused'))
  })

  test('refuses a public name that resolves to an internal address, also beside public ones [VC-N-03]', async () => {
    const fetch = createGuardedFetch({
      resolveHost: async () => [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    })
    await expect(fetch('https://rebind.example/')).rejects.toEqual(refused('fetch_address_refused'))
  })

  test('connects to the address it checked and asks DNS once [VC-N-03]', async () => {
    let asked = 0
    const fetch = createGuardedFetch({
      ca: [CERTIFICATE],
      allowPrivate: ['localhost'],
      resolveHost: async () => {
        asked += 1
        return [{ address: '127.0.0.1', family: 4 }]
      },
    })
    expect((await fetch(`${origin}/json`)).status).toBe(200)
    expect(asked).toBe(1)
  })

  test('ends a call that gives no answer or drips, at its time limit [VC-N-04]', async () => {
    await expect(open()(`${origin}/silent`, { timeoutMs: 100 })).rejects.toEqual(refused('fetch_timed_out'))
    await expect(open()(`${origin}/drip`, { timeoutMs: 100 })).rejects.toEqual(refused('fetch_timed_out'))
  })

  test('ends a call that answers too much [VC-N-04]', async () => {
    await expect(open()(`${origin}/large`, { maxBytes: 1999 })).rejects.toEqual(refused('fetch_too_large'))
    expect((await open()(`${origin}/large`, { maxBytes: 2000 })).status).toBe(200)
  })

  test('refuses another media type on 2xx and any content coding [VC-N-05]', async () => {
    const init = { contentTypes: ['application/json'] }
    await expect(open()(`${origin}/html`, init)).rejects.toEqual(refused('fetch_content_type'))
    await expect(open()(`${origin}/gzip`)).rejects.toEqual(refused('fetch_content_type'))
    expect((await open()(`${origin}/json`, init)).status).toBe(200)
  })

  test('hands an error status over as it is, so that nobody takes its body for the document [VC-N-05]', async () => {
    const response = await open()(`${origin}/missing`, { contentTypes: ['application/json'] })
    expect(response.ok).toBe(false)
  })

  test('hands 304 over, for conditional requests', async () => {
    expect((await open()(`${origin}/unchanged`)).status).toBe(304)
  })

  test('refuses a certificate that no configured CA signed [IOP-C-02]', async () => {
    const before = requests
    const fetch = createGuardedFetch({ allowPrivate: ['localhost'] })
    await expect(fetch(`${origin}/json`)).rejects.toEqual(refused('fetch_failed'))
    expect(requests).toBe(before)
  })

  test('never puts path or query into a message', async () => {
    const error = await createGuardedFetch()('https://127.0.0.1/path-canary?query-canary').catch(String)
    expect(String(error)).not.toContain('canary')
  })
})

describe('isInternalAddress', () => {
  test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])(
    '%s is public',
    (address) => {
      expect(isInternalAddress(address)).toBe(false)
    },
  )

  test.each([
    '0.0.0.0',
    '100.64.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'fe80::1',
    'fc00::1',
    'ff02::1',
    'no address',
  ])('%s is internal', (address) => {
    expect(isInternalAddress(address)).toBe(true)
  })
})
