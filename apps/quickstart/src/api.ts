/**
 * The API of the story: payroll export, guarded by five lines.
 *
 * Beside the guarded route it serves its own record: which claims it learned, call by call.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createGuardedFetch, type JsonObject, systemClock } from '@attache/core'
import { createExpressVerifier } from '@attache/express'
import { createAnchors, createSoftwareSigner, privateJwkFromPem, x5cFromPem } from '@attache/keys'
import { createLevelStore } from '@attache/storage'
import { claimsIn, credential, query } from '@attache/verifier'
import express from 'express'
import { parseApiConfiguration } from './api-configuration.js'
import { createStderrLog } from './stderr-log.js'

const [, , configFile = 'api.json'] = process.argv
const config = parseApiConfiguration(readFileSync(configFile, 'utf8'))
const pem = (file: string): string => readFileSync(file, 'utf8')

const store = await createLevelStore({ path: config.dataFolder, clock: systemClock })
const signer = createSoftwareSigner(privateJwkFromPem(pem(config.signing.key)), {
  x5c: x5cFromPem(pem(config.signing.certificates)),
})
const verifier = createExpressVerifier(
  {
    origin: config.origin,
    trustedIssuers: [
      {
        vct: config.vct,
        anchors: [pem(config.credentialIssuers)],
        statusAnchors: [pem(config.statusLists)],
      },
    ],
    keyBinding: 'required',
    walletAttesters: [
      {
        name: 'acme agent platform',
        anchors: createAnchors('walletAttesters', [pem(config.walletAttesters)]),
        clients: 'any',
      },
    ],
  },
  {
    signer,
    store,
    log: createStderrLog(),
    fetch: createGuardedFetch({ ca: [pem(config.tlsAuthority)], allowPrivate: config.allowPrivate }),
  },
)

const asked = query(credential('role', { vct: config.vct, claims: { role: 'string', region: 'string' } }))
const decide = claimsIn({ role: ['Manager', 'Director'], region: ['EU'] })

/** What this API learned of its callers, from the newest call backwards; nothing else reaches the handler. */
const learned: { scope: string; claims: JsonObject }[] = []

const app = express()
app.disable('etag')
app.use(verifier.routes)
app.post(
  '/payroll/export',
  verifier.requirePresentation({ scope: 'payroll:export', query: asked, decide }),
  (request, response) => {
    const { claims } = request.presentation
    learned.unshift({ scope: 'payroll:export', claims })
    response.json({ exported: 'payroll summary', for: claims.region })
  },
)
app.get('/record', (_request, response) => {
  response.json({ calls: learned.length, learned: learned.slice(0, 50) })
})

const server = createServer({ key: pem(config.tls.key), cert: pem(config.tls.certificate) }, app)
server.on('error', (error) => {
  const busy = 'code' in error && error.code === 'EADDRINUSE'
  console.error(
    busy ? `Port ${config.port} is busy. Stop what uses it, or start with --port.` : error.message,
  )
  process.exit(1)
})
server.listen(config.port, '127.0.0.1')
process.once('SIGTERM', () => {
  server.closeAllConnections()
  server.close(() => void store.close().finally(() => process.exit(0)))
})
