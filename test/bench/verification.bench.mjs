/**
 * Verification: a guarded call with a cached token, a presentation posted in the clear (inline: one request, judged
 * and answered), the challenge route up to the token, and a whole presentation by `direct_post.jwt`; server CPU ms,
 * beside Credo-TS in the same run where it does the same. Memory is `memory.bench.mjs`.
 *
 * `--count` per round, `--rounds`.
 *
 * @module
 */
import { anchorsOf } from './certificates.mjs'
import { obtainToken } from './challenge-client.mjs'
import { cpuLines, inParallel, measureCpu, numberOption } from './cpu.mjs'
import { createClient } from './http-client.mjs'
import { calling, createParties, posting, presenting } from './presentation-client.mjs'
import { createPresentedCredential } from './presented-credential.mjs'
import { startServer } from './server-process.mjs'

const { signing, issuer, provider, wallet } = await createParties()
const ours = await startServer('./verifier-server.mjs', { signing, issuer, provider })
const credo = await startServer('./credo-server.mjs', { signing, trusted: [issuer.rootPem] })
const [client, credoClient] = [ours, credo].map(({ port }) => createClient({ port }))
const trust = { anchors: anchorsOf(signing) }
const facts = { server: ours, client, wallet, held: wallet, trust }
// Credo would fetch the list over the network at every presentation.
const held = await createPresentedCredential(issuer, { status: false })
const theirs = { server: credo, client: credoClient, held, trust }

const call = calling(facts, await obtainToken(facts))
const DIRECT = 'credo-ts: request, direct_post.jwt, result'
const INLINE = 'credo-ts: inline, one posted presentation'
const candidates = [
  {
    name: 'attache: guarded call, token at hand',
    server: ours,
    run: (count) => call(count * 5),
    per: 5,
  },
  {
    name: 'attache: challenge, presentation, token',
    server: ours,
    run: (count) => inParallel([...Array(count).keys()], 4, () => obtainToken(facts)),
  },
  { name: 'attache: inline, one posted presentation', ...posting(facts) },
  { name: INLINE, ...posting(theirs) },
  { name: 'attache: request, direct_post.jwt, result', server: ours, run: presenting(facts) },
  { name: DIRECT, server: credo, run: presenting(theirs) },
]
const options = { rounds: numberOption('rounds', 5), count: numberOption('count', 40) }
const results = await measureCpu(candidates, options)
const named = (text) => new Map([...results].filter(([name]) => name.includes(text)))
console.log(cpuLines(named('token')).join('\n'))
console.log(cpuLines(named('inline'), INLINE).join('\n'))
console.log(cpuLines(named('direct_post.jwt'), DIRECT).join('\n'))
for (const one of [client, credoClient]) one.close()
await Promise.all([ours.stop(), credo.stop()])
