/**
 * Memory of a verifier under challenges that nobody answers, and under calls without a token.
 *
 * Inside one process and without sockets: what is asked is whether anything is kept, and a million requests over
 * TCP would mostly measure TCP. The clock moves on by a second every twenty requests, so that what is kept for a
 * time would be let go in its time.
 *
 * `--challenges` (usually 20,000; 1,000,000 for the long run, about half an hour), `--samples` (10).
 *
 * @module
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createMemoryStore, routeRequests, SILENT_LOG, systemClock, systemRandom } from '@attache/core'
import {
  createAuthorizationChallengeRequest,
  createClientAttestation,
  createClientAttestationPop,
  createDpopProof,
  createPkce,
  encodeForm,
} from '@attache/oauth'
import { IA_OPENID4VP_PRESENTATION } from '@attache/openid4vp'
import { createVerifier } from '@attache/verifier'
import { anchorsOf, certify, freshSigner, signerOf } from './certificates.mjs'
import { numberOption } from './cpu.mjs'
import { FORM } from './http-client.mjs'
import { CREDENTIAL_ISSUER, QUERY, VCT } from './presented-credential.mjs'

const API = 'https://api.example'
const CHALLENGE = `${API}/attache/challenge`
const CLIENT = 'agent-17'
const PER_SECOND = 20
/** A wallet's proofs are good for a minute; so many requests are copies of one. */
const COPIES = 200

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const [signing, issuer, provider] = await Promise.all([
  certify('Verifier', { dnsNames: ['api.example'] }),
  certify('Issuer', { dnsNames: ['issuer.example'] }),
  certify('Provider'),
])
let ahead = 0
const clock = () => systemClock() + ahead
const store = createMemoryStore({ clock })
const verifier = createVerifier(
  {
    origin: API,
    trustedIssuers: [{ vct: VCT, anchors: [issuer.rootPem], issuer: CREDENTIAL_ISSUER }],
    keyBinding: 'required',
    walletAttesters: [{ name: 'provider', anchors: anchorsOf(provider), clients: 'any' }],
  },
  {
    signer: signerOf(signing),
    store,
    fetch: async () => new Response(null, { status: 503 }),
    clock,
    random: systemRandom,
    log: SILENT_LOG,
  },
)
const gate = verifier.requirePresentation({ scope: 'payroll:export', query: QUERY, decide: () => true })
const answer = routeRequests(verifier.routes)

/** A first request, and a maker of its copies. */
async function freshRequest() {
  const [instance, dpop] = [freshSigner(), freshSigner()]
  const facts = { now: clock(), random: systemRandom }
  const statement = { clientId: CLIENT, instanceKey: instance.publicJwk, expiresAt: clock() + 3600 }
  const headers = {
    ...FORM,
    DPoP: await createDpopProof({ method: 'POST', url: CHALLENGE }, dpop, facts),
    'OAuth-Client-Attestation': await createClientAttestation(statement, signerOf(provider), clock()),
    'OAuth-Client-Attestation-PoP': await createClientAttestationPop({ audience: API }, instance, facts),
  }
  const body = encodeForm(
    createAuthorizationChallengeRequest({
      kind: 'initial',
      request: {
        clientId: CLIENT,
        scope: 'payroll:export',
        codeChallenge: createPkce(systemRandom).codeChallenge,
      },
      interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
    }),
  )
  return () => new Request(CHALLENGE, { method: 'POST', headers, body })
}

async function flood(count) {
  let copy = await freshRequest()
  for (let done = 0; done < count; done += 1) {
    if (done % COPIES === 0) copy = await freshRequest()
    if (done % PER_SECOND === 0) ahead += 1
    const challenged = await answer(copy())
    if (!(await challenged.text()).includes('auth_session')) throw new Error('There was no challenge.')
    const refused = await gate(new Request(`${API}/payroll/export`, { method: 'POST' }))
    if (refused.allowed) throw new Error('A call without a token was let in.')
  }
}

const mebibytes = (bytes) => bytes / 1_048_576
function sample() {
  collect()
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: mebibytes(heapUsed), rss: mebibytes(rss) }
}

const challenges = numberOption('challenges', 20_000)
const samples = numberOption('samples', 10)
const seen = []
const before = process.cpuUsage()
for (let part = 0; part < samples; part += 1) {
  await flood(challenges / samples)
  seen.push(sample())
  const { heap, rss } = seen.at(-1)
  const done = (((part + 1) * challenges) / samples).toLocaleString('en-US')
  console.log(`after ${done.padStart(9)}: heap ${heap.toFixed(1)} MiB, resident ${rss.toFixed(1)} MiB`)
}
const { user, system } = process.cpuUsage(before)
const kept = (await store.list('')).length
console.log(`${challenges.toLocaleString('en-US')} challenges and as many calls without a token`)
console.log(`records in the store at the end: ${kept}`)
console.log(
  `${((user + system) / 1000 / challenges).toFixed(3)} ms CPU each, making the client's proofs included`,
)
// The first part fills the caches, which are bounded.
const grown = seen.at(-1).heap - seen[0].heap
if (grown > 5 || kept > 0) {
  console.log(
    `Goals missed: ${grown.toFixed(1)} MiB more heap than after the first part (goal 5), ${kept} records (goal 0)`,
  )
  process.exitCode = 1
}
