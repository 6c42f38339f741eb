/**
 * Where the time of a guarded call and of a whole presentation goes: profiles the server and writes the twenty
 * heaviest functions of each.
 *
 * `node profile-verification.mjs > profile-verification.txt`
 *
 * @module
 */
import { anchorsOf } from './certificates.mjs'
import { obtainToken } from './challenge-client.mjs'
import { numberOption } from './cpu.mjs'
import { createClient } from './http-client.mjs'
import { calling, createParties, presenting } from './presentation-client.mjs'
import { profileReport } from './profile-report.mjs'
import { startServer } from './server-process.mjs'

const count = numberOption('count', 400)
const { signing, issuer, provider, wallet } = await createParties()
const server = await startServer('./verifier-server.mjs', { signing, issuer, provider })
const client = createClient({ port: server.port })
const facts = { server, client, wallet, held: wallet, trust: { anchors: anchorsOf(signing) } }

async function profiled(run, operations) {
  await run(Math.min(operations, 200))
  await server.call('profile')
  await run(operations)
  return server.call('profiled')
}
const calls = await profiled(calling(facts, await obtainToken(facts)), count * 5)
const presentations = await profiled(presenting(facts), count)
client.close()
await server.stop()

console.log(
  [
    profileReport(calls, {
      title: `Guarded call with a token at hand, http; ${count * 5} calls`,
      count: count * 5,
    }),
    profileReport(presentations, {
      title: `Request, direct_post.jwt, result, http; ${count} presentations`,
      count,
    }),
  ].join(`\n\n${'-'.repeat(80)}\n\n`),
)
