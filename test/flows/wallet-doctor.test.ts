import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, tokenPathOf } from '@attache/agent'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWalletClient } from '../../apps/cli/src/wallet-client.js'
import { examineWallet } from '../../apps/cli/src/wallet-doctor.js'
import { describeFindings } from '../../apps/cli/src/wallet-output.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'

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

describe('attache wallet doctor', () => {
  test('examines sockets, token files, files of the configuration, policy and clocks', async () => {
    const findings = await examine()
    expect(outcomes(findings, 'socket:')).toEqual(['ok', 'ok', 'ok'])
    expect(outcomes(findings, 'token:')).toEqual(['ok', 'ok', 'ok'])
    expect(outcomes(findings, 'trust:')).toEqual(['ok', 'ok', 'ok'])
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
    for (const { message } of wrong) expect(message).toMatch(/(Run|Restore|would fail|Check)/)
  })

  test('says that no daemon answers', async () => {
    const socket = join(world.folder, 'none.sock')
    const findings = await examineWallet(socket, createWalletClient(socket))
    expect(outcomes(findings, '')).toEqual(['failed', 'failed', 'ok', 'failed'])
  })
})
