/**
 * A thief: has an agent's access token, not its key, and signs the proof with a key of its own.
 *
 * It takes the token where malware beside an agent would: from the headers that the wallet hands out.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import {
  AUTHORIZATION_PATH,
  callSocket,
  parseAuthorizationAnswer,
  writeAuthorizationQuestion,
} from '@attache/agent'
import { createGuardedFetch, systemClock, systemRandom } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { createDpopProof } from '@attache/oauth'

const url = process.env['API_URL'] ?? ''
const socketPath = process.env['ATTACHE_SOCKET'] ?? ''
const caFile = process.env['ATTACHE_CA_FILE'] ?? ''

const reply = await callSocket({
  socketPath,
  method: 'POST',
  path: AUTHORIZATION_PATH,
  body: writeAuthorizationQuestion({ method: 'POST', url }),
})
const answer = parseAuthorizationAnswer(reply.value)
const authorization = answer?.outcome === 'authorized' ? (answer.headers['authorization'] ?? '') : ''
if (authorization === '') throw new Error('There was no token to steal.')

const accessToken = authorization.split(' ')[1] ?? ''
const proof = await createDpopProof(
  { method: 'POST', url, accessToken },
  createSoftwareSigner(generatePrivateJwk('ES256')),
  { now: systemClock(), random: systemRandom },
)
const fetch = createGuardedFetch({ ca: [readFileSync(caFile, 'utf8')], allowPrivate: ['localhost'] })
const response = await fetch(url, {
  method: 'POST',
  headers: { Authorization: authorization, DPoP: proof, 'Content-Type': 'application/json' },
  body: '{}',
})
console.log(JSON.stringify({ status: response.status, body: await response.json() }))
