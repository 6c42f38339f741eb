/**
 * What would spoil a start before it begins: a quickstart that runs already, ports in use, a folder made for
 * other ports, a wipe of files that are not ours.
 *
 * Looked at first, because a second quickstart beside the first would ask the first one's programs and
 * report what they answer as its own.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { isJsonObject, member, parseJson } from '@attache/core'
import type { Setting } from './setting.js'

/** What a quickstart makes in its data folder, and nothing else is ever wiped. */
const OURS: readonly string[] = ['api', 'issuer', 'logs', 'trust', 'wallet']

/**
 * Why a start must not begin, in one sentence with the next step.
 *
 * @param fresh Whether the data folder is about to be wiped.
 * @returns `undefined` when nothing stands in the way; nothing was written or removed.
 */
export async function findObstacle(setting: Setting, fresh: boolean): Promise<string | undefined> {
  const folder = setting.dataFolder
  if (await answers(setting.operatorSocket)) {
    return `A quickstart runs with the data folder ${folder}. End it with Ctrl-C, or name another folder and other ports: npm start -- --data <folder> --port <number>`
  }
  const wrongFolder = fresh ? refuseToWipe(folder) : madeForOthers(setting)
  if (wrongFolder !== undefined) return wrongFolder
  for (const port of [setting.issuerPort, setting.managementPort, setting.apiPort]) {
    if (await inUse(port)) {
      return `Port ${port} is in use. End what listens there, or name other ports and another folder: npm start -- --port <number> --data <folder>`
    }
  }
  return undefined
}

function refuseToWipe(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined
  const foreign = readdirSync(folder).find((name) => !OURS.includes(name))
  if (foreign === undefined) return undefined
  return `${folder} holds ${foreign}, which no quickstart made, and is not wiped. Name another folder: npm start -- --data <folder>`
}

// Certificates and credentials name the issuer: with other ports nothing of them would be believed.
function madeForOthers(setting: Setting): string | undefined {
  const file = setting.file('issuer', 'issuer.json')
  const json = existsSync(file) ? parseJson(readFileSync(file, 'utf8')) : undefined
  if (json?.ok !== true || !isJsonObject(json.value)) return undefined
  const issuer = member(json.value, 'credentialIssuer')
  if (issuer === setting.issuer || typeof issuer !== 'string') return undefined
  return `The data folder ${setting.dataFolder} was made for the issuer ${issuer}. Give the same --port as then, name another folder with --data, or wipe this one with --fresh.`
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })
}

function inUse(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })
}
