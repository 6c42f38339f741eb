/**
 * Our verifier as a server, with an issuer beside it that makes credentials before anything is measured.
 *
 * @module
 */
import { createMemoryStore, routeRequests, SILENT_LOG, systemClock, systemRandom } from '@attache/core'
import { createNodeListener } from '@attache/express'
import { createStatusList, createStatusListToken, STATUS_LIST_MEDIA_TYPE } from '@attache/status-list'
import { createVerifier } from '@attache/verifier'
import { anchorsOf, signerOf } from './certificates.mjs'
import { CREDENTIAL_ISSUER, QUERY, STATUS_URI, VCT } from './presented-credential.mjs'
import { serveProcess } from './server-process.mjs'

serveProcess(async ({ signing, issuer, provider }, origin) => {
  const issuerSigner = signerOf(issuer)
  const list = createStatusList(1 << 20, 2)
  const fetch = async () => {
    const now = systemClock()
    const token = { uri: STATUS_URI, iat: now, exp: now + 3600, ttl: 300, list }
    const headers = { 'Content-Type': STATUS_LIST_MEDIA_TYPE }
    return new Response(await createStatusListToken(token, issuerSigner), { headers })
  }
  const store = createMemoryStore({ clock: systemClock })
  const verifier = createVerifier(
    {
      origin,
      trustedIssuers: [{ vct: VCT, anchors: [issuer.rootPem], issuer: CREDENTIAL_ISSUER }],
      keyBinding: 'required',
      walletAttesters: [{ name: 'provider', anchors: anchorsOf(provider), clients: 'any' }],
    },
    { signer: signerOf(signing), store, fetch, clock: systemClock, random: systemRandom, log: SILENT_LOG },
  )
  const gate = verifier.requirePresentation({
    scope: 'payroll:export',
    query: QUERY,
    decide: (claims) => claims.role === 'Manager' && claims.region === 'EU',
  })
  const routes = routeRequests(verifier.routes)
  return {
    listener: createNodeListener(async (request) => {
      const answer = await routes(request)
      if (answer !== undefined) return answer
      const outcome = await gate(request)
      return outcome.allowed ? Response.json({ done: true }) : outcome.response
    }),
    operations: {
      async requests(count, responseMode = 'direct_post.jwt') {
        const made = []
        for (let nth = 0; nth < count; nth += 1) {
          const { requestUrl, transactionId } = await verifier.startTransaction({
            query: QUERY,
            responseMode,
            crossDevice: true,
          })
          made.push({ url: requestUrl, id: transactionId })
        }
        return made
      },
      async results(ids) {
        const roles = []
        for (const transactionId of ids) {
          const result = await verifier.redeemResult({ transactionId })
          roles.push(result.presentation?.credentials[0]?.claims.role)
        }
        return roles
      },
    },
  }
})
