/**
 * Where everything of the story is: ports, origins, files below the data folder.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type TrustFiles, trustFiles } from './trust.js'

/** The places of one quickstart. */
export interface Setting {
  readonly dataFolder: string
  /** The folder with the CSV files and the template. */
  readonly inputFolder: string
  /** Credential Issuer Identifier. */
  readonly issuer: string
  readonly issuerPort: number
  /** Origin of the management API. */
  readonly management: string
  readonly managementPort: number
  /** Origin of the guarded API. */
  readonly api: string
  readonly apiPort: number
  readonly vct: string
  /** Where the wallet's sockets lie: a short path, since the system cuts long ones. */
  readonly runtimeFolder: string
  readonly operatorSocket: string
  agentSocket(agent: string): string
  readonly trust: TrustFiles
  /** A file below the data folder. */
  file(...parts: string[]): string
}

/**
 * Names all places.
 *
 * @param firstPort Three ports in a row are used.
 */
export function createSetting(dataFolder: string, firstPort: number): Setting {
  const folder = resolve(dataFolder)
  const id = createHash('sha256').update(folder).digest('hex').slice(0, 8)
  const runtimeFolder = join(tmpdir(), `attache-${id}`)
  const issuer = `https://localhost:${firstPort}`
  return {
    dataFolder: folder,
    inputFolder: resolve(import.meta.dirname, '..', 'data'),
    issuer,
    issuerPort: firstPort,
    management: `https://localhost:${firstPort + 1}`,
    managementPort: firstPort + 1,
    api: `https://localhost:${firstPort + 2}`,
    apiPort: firstPort + 2,
    vct: `${issuer}/types/agent-role/v1`,
    runtimeFolder,
    operatorSocket: join(runtimeFolder, 'operator.sock'),
    agentSocket: (agent) => join(runtimeFolder, `${agent}.sock`),
    trust: trustFiles(join(folder, 'trust')),
    file: (...parts) => join(folder, ...parts),
  }
}
