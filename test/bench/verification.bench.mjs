/**
 * Verification: a guarded call with a cached token, the challenge route up to the token, a whole presentation
 * by `direct_post.jwt`; server CPU ms, the last one beside Credo-TS in the same run. Then memory under a flood of
 * challenges.
 *
 * `--count` per round, `--rounds`, `--challenges` (usually 20,000; 1,000,000 for the long run).
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import { createClientAttestation, createDpopProof } from '@attache/oauth'
import { directPostBody, parseRequestUrl, STATIC_AUDIENCE, verifyRequestObject } from '@attache/openid4vp'
import { presentSdJwtVc } from '@attache/sd-jwt'
import { anchorsOf, certify, freshSigner, signerOf } from './certificates.mjs'
import { beginChallenge, obtainToken } from './challenge-client.mjs'
import { cpuLines, inParallel, measureCpu, numberOption } from './cpu.mjs'
import { createClient, FORM, jsonOf } from './http-client.mjs'
import { createPresentedCredential, QUERY } from './presented-credential.mjs'
import { startServer } from './server-process.mjs'

const PARALLEL = 4
const [signing, issuer, provider] = await Promise.all([
  certify('Verifier', { dnsNames: ['localhost'] }),
  certify('Issuer', { dnsNames: ['issuer.example'], uris: ['https://issuer.example'] }),
  certify('Provider'),
])
const ours = await startServer('./verifier-server.mjs', { signing, issuer, provider })
const credo = await startServer('./credo-server.mjs', { signing, trusted: [issuer.rootPem] })
const clients = new Map([ours, credo].map((server) => [server, createClient({ port: server.port })]))

const now = systemClock()
const instance = freshSigner()
const wallet = {
  ...(await createPresentedCredential(issuer, { status: true })),
  clientId: 'agent-17',
  instance,
  dpop: freshSigner(),
  attestation: await createClientAttestation(
    { clientId: 'agent-17', instanceKey: instance.publicJwk, expiresAt: now + 86_000 },
    signerOf(provider),
    now,
  ),
}
// Credo would fetch the list over the network at every presentation.
const withoutStatus = await createPresentedCredential(issuer, { status: false })
const trust = { anchors: anchorsOf(signing) }

/** Answers one request, as a wallet does. */
async function answer(url, { server, holder, credential }) {
  const client = clients.get(server)
  const { requestUri, clientId } = parseRequestUrl(url)
  const { text } = await client.send(requestUri)
  const { request } = await verifyRequestObject(text, {
    clientId,
    audiences: [STATIC_AUDIENCE, requestUri],
    algorithms: ['ES256'],
    trust,
    now: systemClock(),
  })
  const keyBinding = {
    signer: holder,
    audience: request.clientId,
    nonce: request.nonce,
    issuedAt: systemClock(),
  }
  const presented = await presentSdJwtVc(credential, { disclose: [['role'], ['region']], keyBinding })
  const body = await directPostBody(request, { vpToken: new Map([['role_cred', [presented]]]) })
  jsonOf(await client.send(request.responseUri, { method: 'POST', headers: FORM, body }))
}

const presenting = (server, held) => async (count) => {
  const requests = await server.call('requests', count, QUERY)
  await inParallel(requests, PARALLEL, ({ url }) => answer(url, { server, ...held }))
  const ids = requests.map(({ id }) => id)
  const roles = await server.call('results', ids)
  if (!roles.every((role) => role === 'Manager')) throw new Error('A presentation came to nothing.')
}

const facts = { wallet, server: ours, client: clients.get(ours), trust }
const times = (count) => Array.from({ length: count }, (_, nth) => nth + 1)
const url = `${ours.origin}/payroll/export`
const token = await obtainToken(facts)
async function callGuarded() {
  const proof = await createDpopProof({ method: 'POST', url, accessToken: token }, wallet.dpop, {
    now: systemClock(),
    random: systemRandom,
  })
  const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
  jsonOf(await clients.get(ours).send(url, { method: 'POST', headers, body: '' }))
}

const DIRECT = 'credo-ts: request, direct_post.jwt, result'
const candidates = [
  {
    name: 'attache: guarded call, token at hand',
    server: ours,
    run: (count) => inParallel(times(count * 5), PARALLEL, callGuarded),
    per: 5,
  },
  {
    name: 'attache: challenge, presentation, token',
    server: ours,
    run: (count) => inParallel(times(count), PARALLEL, () => obtainToken(facts)),
  },
  { name: 'attache: request, direct_post.jwt, result', server: ours, run: presenting(ours, wallet) },
  { name: DIRECT, server: credo, run: presenting(credo, withoutStatus) },
]
const options = { rounds: numberOption('rounds', 5), count: numberOption('count', 40) }
const results = await measureCpu(candidates, options)
const direct = new Map([...results].filter(([name]) => name.includes('direct_post.jwt')))
console.log(cpuLines(new Map([...results].filter(([name]) => !direct.has(name)))).join('\n'))
console.log(cpuLines(direct, DIRECT).join('\n'))
clients.get(credo).close()
await credo.stop()

/** Memory under challenges that nobody answers, twenty to a second of the server's clock. */
async function flood(challenges) {
  const STEP = 100
  let ahead = 0
  const heaps = []
  for (let done = 0; done < challenges; done += STEP) {
    await inParallel(times(STEP), PARALLEL, () => beginChallenge({ ...facts, now: systemClock() + ahead }))
    ahead += STEP / 20
    await ours.call('pass', STEP / 20)
    if ((done + STEP) % (challenges / 5) === 0) {
      heaps.push((await ours.heap()) / 1_048_576)
    }
  }
  return heaps
}
const challenges = numberOption('challenges', 20_000)
const heaps = await flood(challenges)
const grown = heaps.at(-1) - heaps[0]
console.log(
  `heap after each fifth of ${challenges} challenges: ${heaps.map((heap) => heap.toFixed(1)).join(', ')} MiB`,
)
clients.get(ours).close()
await ours.stop()
if (grown > 5) {
  console.log(
    `Goals missed: the heap grew by ${grown.toFixed(1)} MiB between the first and the last fifth (goal 5)`,
  )
  process.exitCode = 1
}
