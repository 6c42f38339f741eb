/**
 * Issuance: offer, token, nonce, credential with DPoP and wallet attestation; server CPU ms per credential.
 *
 * Ours over both stores, https off and on, beside Credo-TS in the same run. "https" is one new TLS connection
 * per issuance. `--count` issuances per round and `--rounds`.
 *
 * @module
 */
import { certify, certifyTls } from './certificates.mjs'
import { cpuLines, inParallel, measureCpu, numberOption } from './cpu.mjs'
import { createClient } from './http-client.mjs'
import { createIssuanceWallet, receive } from './issuance-client.mjs'
import { startServer } from './server-process.mjs'

const PARALLEL = 4
const [tls, signing, provider] = await Promise.all([
  certifyTls(),
  certify('Issuer', { dnsNames: ['localhost'] }),
  certify('Provider'),
])
const wallet = await createIssuanceWallet(provider)

async function candidate(name, file, options) {
  const server = await startServer(file, { signing, provider, trusted: [provider.rootPem], ...options })
  const secure = options.tls === undefined ? {} : { ca: tls.ca }
  const kept = createClient({ port: server.port })
  const run = async (count) => {
    const offers = await server.call('offers', count)
    await inParallel(offers, PARALLEL, async (offer) => {
      const client = options.tls === undefined ? kept : createClient({ port: server.port, ...secure })
      await receive(offer, { wallet, server, client })
      if (client !== kept) client.close()
    })
  }
  const stop = async () => {
    kept.close()
    await server.stop()
  }
  return { name, server, run, stop }
}

const candidates = [
  await candidate('attache, memory, http', './issuer-server.mjs', { store: 'memory' }),
  await candidate('attache, memory, https', './issuer-server.mjs', { store: 'memory', tls }),
  await candidate('attache, level, http', './issuer-server.mjs', { store: 'level' }),
  await candidate('attache, level, https', './issuer-server.mjs', { store: 'level', tls }),
  await candidate('credo-ts, memory, http', './credo-server.mjs', {}),
  await candidate('credo-ts, memory, https', './credo-server.mjs', { tls }),
]
const options = { rounds: numberOption('rounds', 5), count: numberOption('count', 40) }
const results = await measureCpu(candidates, options)
for (const { stop } of candidates) await stop()

const http = new Map([...results].filter(([name]) => name.endsWith('http')))
const https = new Map([...results].filter(([name]) => name.endsWith('https')))
console.log(cpuLines(http, 'credo-ts, memory, http').join('\n'))
console.log(cpuLines(https, 'credo-ts, memory, https').join('\n'))
