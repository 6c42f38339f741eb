import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, tokenPathOf } from '@attache/agent'
import { isJsonArray, isJsonObject } from '@attache/core'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
} from '@attache/keys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWalletClient } from '../../apps/cli/src/wallet-client.js'
import { examineWallet } from '../../apps/cli/src/wallet-doctor.js'
import { describeFindings } from '../../apps/cli/src/wallet-output.js'
import { NOW } from '../support/clock.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { createSeededRandom } from '../support/random.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
beforeAll(async () => {
  world = await createDaemonWorld()
})
afterAll(() => world.close())

const examine = () => {
  const { operatorSocket } = world.daemon()
  return examineWallet(operatorSocket, createWalletClient(operatorSocket))
}
const outcomes = (findings: readonly Finding[], prefix: string) =>
  findings.filter(({ check }) => check.startsWith(prefix)).map(({ outcome }) => outcome)

/** An authority and a certificate that end together, by the daemon's clock. */
async function providerCertificates(days: number): Promise<{ root: string; leaf: string }> {
  const random = createSeededRandom(`provider for ${days} days`)
  const validity = { notBefore: NOW - 400 * 86_400, notAfter: NOW + days * 86_400 }
  const issuer = await createCertificateAuthority(
    { commonName: 'Provider root', privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random },
  )
  const { publicJwk } = createSoftwareSigner(generatePrivateJwk('ES256'))
  const leaf = await issueCertificate({ commonName: 'Provider', publicJwk, issuer, ...validity }, { random })
  return { root: issuer.pem, leaf: leaf.pem }
}

describe('attache wallet doctor, on another day', () => {
  test('warns of certificates and anchors 30 days before their end, and says when it is too late', async () => {
    const { operatorSocket } = world.daemon()
    const file = join(world.folder, 'provider.pem')
    const anchors = join(world.folder, 'issuer-ca.pem')
    const [chain, list] = [readFileSync(file, 'utf8'), readFileSync(anchors, 'utf8')]
    const found = async (check: string) =>
      (await examineWallet(operatorSocket, createWalletClient(operatorSocket))).find(
        (finding) => finding.check === check,
      )
    for (const [days, outcome, says] of [
      [90, 'ok', 'Good for 90 days.'],
      [29, 'warning', 'ends in 29 days'],
      [-3, 'failed', 'has expired 3 days ago'],
    ] as const) {
      writeFileSync(file, (await providerCertificates(days)).leaf)
      const finding = await found('certificate:provider.pem')
      expect(finding?.outcome).toBe(outcome)
      expect(finding?.message).toContain(says)
    }
    // A list is as good as its best anchor; an old one in it is worth a word.
    const { root: expired } = await providerCertificates(-3)
    writeFileSync(anchors, `${list}\n${expired}`)
    expect(await found('trust:issuer-ca.pem')).toMatchObject({ outcome: 'warning' })
    writeFileSync(anchors, expired)
    expect(await found('trust:issuer-ca.pem')).toMatchObject({ outcome: 'failed' })
    writeFileSync(file, chain)
    writeFileSync(anchors, list)
  })

  test('looks at the status list of what is held, and says when it is away', async () => {
    const { operatorSocket } = world.daemon()
    const client = createWalletClient(operatorSocket)
    const statuses = async () => outcomes(await examineWallet(operatorSocket, client), `status:${AGENT}:`)
    expect(await statuses()).toEqual([])
    const { uri, txCode } = await world.bench.issuer.createOffer(
      { agent: AGENT, by: 'value' },
      world.bench.time.clock(),
    )
    expect(await client.receive({ agent: AGENT, offer: uri, txCode })).toMatchObject({ outcome: 'stored' })
    expect(await statuses()).toEqual(['ok'])
    world.serveIssuer(async () => new Response(null, { status: 503 }))
    world.bench.time.advance(400)
    expect(await statuses()).toEqual(['warning'])
    world.serveIssuer()
  })

  test('names a changed configuration, a path too long, open folders and a server nobody reaches', async () => {
    const { operatorSocket } = world.daemon()
    const text = readFileSync(world.configPath, 'utf8')
    const change = (more: object) => {
      const configuration: unknown = JSON.parse(text)
      writeFileSync(world.configPath, JSON.stringify({ ...Object(configuration), ...more }))
    }
    chmodSync(join(world.folder, 'data'), 0o755)
    const configured: unknown = JSON.parse(text)
    const [issuer] =
      isJsonObject(configured) && isJsonArray(configured['issuers']) ? configured['issuers'] : []
    change({
      runtimeFolder: `run-${'x'.repeat(100)}`,
      issuers: [{ ...Object(issuer), authorizationServers: ['https://localhost:1/as'] }],
    })
    const findings = await examineWallet(operatorSocket, createWalletClient(operatorSocket))
    expect(outcomes(findings, 'restart')).toEqual(['warning'])
    expect(outcomes(findings, 'socket-paths')).toEqual(['failed'])
    expect(outcomes(findings, 'folder:data')).toEqual(['warning'])
    expect(outcomes(findings, 'server:https://localhost:1/as')).toEqual(['failed'])
    change({ version: 2 })
    const later = await examineWallet(operatorSocket, createWalletClient(operatorSocket))
    const version = later.find(({ check }) => check === 'configuration')
    expect(version).toMatchObject({ outcome: 'failed', message: expect.stringContaining('version') })
    writeFileSync(world.configPath, text)
    chmodSync(join(world.folder, 'data'), 0o700)
  })
})

describe('attache wallet doctor', () => {
  test('examines sockets, token files, files of the configuration, policy and clocks', async () => {
    const findings = await examine()
    expect(outcomes(findings, 'socket:')).toEqual(['ok', 'ok', 'ok'])
    expect(outcomes(findings, 'token:')).toEqual(['ok', 'ok', 'ok'])
    // The authority of TLS is made for a day, and that is soon over.
    expect(outcomes(findings, 'trust:')).toEqual(['ok', 'ok', 'warning'])
    expect(outcomes(findings, 'certificate:')).toEqual(['ok'])
    expect(outcomes(findings, 'folder:data')).toEqual(['ok'])
    expect(outcomes(findings, 'folder:run')).toEqual(['ok'])
    expect(outcomes(findings, 'socket-paths')).toEqual(['ok'])
    expect(outcomes(findings, 'restart')).toEqual(['ok'])
    expect(outcomes(findings, 'secret:')).toEqual(['ok', 'ok'])
    expect(outcomes(findings, 'policy')).toEqual(['ok'])
    // The world's clock is not that of the servers: far off, and said so with what to do.
    const clocks = findings.filter(({ check }) => check.startsWith('clock:'))
    expect(clocks.map(({ outcome }) => outcome)).toEqual(['failed', 'failed'])
    for (const { message } of clocks)
      expect(message).toMatch(/^The clocks differ by -?\d+ s .* Check the time/)
    expect(describeFindings(findings).split('\n').at(-1)).toMatch(/^failed {3}clock:/)
  })

  test('names what would go wrong, before a restart does', async () => {
    const { operatorSocket } = world.daemon()
    chmodSync(tokenPathOf(operatorSocket), 0o644)
    chmodSync(join(world.folder, 'master.key'), 0o640)
    writeFileSync(join(world.folder, 'release-rules.json'), '{')
    writeFileSync(join(world.folder, 'issuer-ca.pem'), 'no certificate')
    rmSync(join(world.folder, 'provider.key'))
    const findings = await examine()
    expect(outcomes(findings, 'token:operator')).toEqual(['failed'])
    expect(outcomes(findings, 'secret:')).toEqual(['warning', 'failed'])
    expect(outcomes(findings, 'policy')).toEqual(['failed'])
    expect(outcomes(findings, 'trust:issuer-ca.pem')).toEqual(['failed'])
    const wrong = findings.filter(({ outcome }) => outcome !== 'ok')
    for (const { message } of wrong)
      expect(message).toMatch(/(Run|Restore|Restart|Replace|Get|would fail|Check)/)
  })

  test('says that no daemon answers', async () => {
    const socket = join(world.folder, 'none.sock')
    const findings = await examineWallet(socket, createWalletClient(socket))
    expect(outcomes(findings, '')).toEqual(['failed', 'failed', 'ok', 'failed'])
  })
})
