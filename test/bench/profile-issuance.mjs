/**
 * Where the time of an issuance goes: profiles the server and writes the twenty heaviest functions.
 *
 * `node profile-issuance.mjs > profile-issuance.txt`
 *
 * @module
 */
import { certify } from './certificates.mjs'
import { inParallel, numberOption } from './cpu.mjs'
import { createClient } from './http-client.mjs'
import { createIssuanceWallet, receive } from './issuance-client.mjs'
import { profileReport } from './profile-report.mjs'
import { startServer } from './server-process.mjs'

const count = numberOption('count', 400)
const [signing, provider] = await Promise.all([
  certify('Issuer', { dnsNames: ['localhost'] }),
  certify('Provider'),
])
const server = await startServer('./issuer-server.mjs', { signing, provider, store: 'memory' })
const wallet = await createIssuanceWallet(provider)
const client = createClient({ port: server.port })
const run = async (number) => {
  const offers = await server.call('offers', number)
  await inParallel(offers, 4, (offer) => receive(offer, { wallet, server, client }))
}
await run(100)
await server.call('profile')
await run(count)
const profile = await server.call('profiled')
client.close()
await server.stop()

console.log(
  profileReport(profile, { title: `Issuance over the memory store, http; ${count} issuances`, count }),
)
