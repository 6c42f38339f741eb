/**
 * The other side of a verifier: a wallet that answers requests, and an agent that calls a guarded route.
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import { createClientAttestation, createDpopProof } from '@attache/oauth'
import { directPostBody, parseRequestUrl, STATIC_AUDIENCE, verifyRequestObject } from '@attache/openid4vp'
import { presentSdJwtVc } from '@attache/sd-jwt'
import { certify, freshSigner, signerOf } from './certificates.mjs'
import { inParallel } from './cpu.mjs'
import { FORM, jsonOf } from './http-client.mjs'
import { createPresentedCredential } from './presented-credential.mjs'

const PARALLEL = 4

/** Certificates of everybody, and a wallet with a role that has a status. */
export async function createParties() {
  const [signing, issuer, provider] = await Promise.all([
    certify('Verifier', { dnsNames: ['localhost'] }),
    certify('Issuer', { dnsNames: ['issuer.example'], uris: ['https://issuer.example'] }),
    certify('Provider'),
  ])
  const now = systemClock()
  const instance = freshSigner()
  const statement = { clientId: 'agent-17', instanceKey: instance.publicJwk, expiresAt: now + 86_000 }
  const wallet = {
    ...(await createPresentedCredential(issuer, { status: true })),
    clientId: 'agent-17',
    instance,
    dpop: freshSigner(),
    attestation: await createClientAttestation(statement, signerOf(provider), now),
  }
  return { signing, issuer, provider, wallet }
}

/** What a wallet posts for one request. */
async function makeAnswer(url, { client, held, trust }) {
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
    signer: held.holder,
    audience: request.clientId,
    nonce: request.nonce,
    issuedAt: systemClock(),
  }
  const presented = await presentSdJwtVc(held.credential, { disclose: [['role'], ['region']], keyBinding })
  const body = await directPostBody(request, { vpToken: new Map([['role_cred', [presented]]]) })
  return { to: request.responseUri, body }
}

const postAnswer = async (client, { to, body }) =>
  jsonOf(await client.send(to, { method: 'POST', headers: FORM, body }))

/** The whole: request, request object, encrypted answer, result. */
export const presenting = (facts) => async (count) => {
  const { server, client } = facts
  const requests = await server.call('requests', count)
  await inParallel(requests, PARALLEL, async ({ url }) => postAnswer(client, await makeAnswer(url, facts)))
  const ids = requests.map(({ id }) => id)
  const roles = await server.call('results', ids)
  if (!roles.every((role) => role === 'Manager')) throw new Error('A presentation came to nothing.')
}

/** The answers alone: one request each, with everything in it that is to be judged. */
export const posting = (facts) => ({
  server: facts.server,
  prepare: async (count) => {
    const requests = await facts.server.call('requests', count, 'direct_post')
    return inParallel(requests, PARALLEL, ({ url }) => makeAnswer(url, facts))
  },
  run: (_count, answers) => inParallel(answers, PARALLEL, (made) => postAnswer(facts.client, made)),
})

/** Calls to a guarded route, each with a proof of its own. */
export const calling =
  ({ server, client, wallet }, token) =>
  (count) =>
    inParallel([...Array(count).keys()], PARALLEL, async () => {
      const url = `${server.origin}/payroll/export`
      const facts = { now: systemClock(), random: systemRandom }
      const proof = await createDpopProof({ method: 'POST', url, accessToken: token }, wallet.dpop, facts)
      const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
      jsonOf(await client.send(url, { method: 'POST', headers, body: '' }))
    })
