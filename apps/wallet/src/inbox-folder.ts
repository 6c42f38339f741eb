/**
 * The inbox as files: `<folder>/<agent>/<name>.offer`, handed in on this host, and `<name>.pushed`, from an issuer.
 *
 * Owns names, permissions and that an offer is on disk before anybody is told that it is kept. A folder works
 * where no port may be open: whoever carries the link only needs to write a file as this user.
 *
 * Source: threat model, row 26.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, extname, join } from 'node:path'
import { encodeBase64url } from '@attache/core'
import { startUpError, systemFailure } from '@attache/daemon'

/** An offer that lies in the inbox. */
export interface OfferFile {
  /** Stable over restarts: made of agent, name and content. */
  readonly id: string
  readonly agent: string
  readonly path: string
  readonly from: 'folder' | 'push'
  /** The link; `undefined` when the file cannot be one. */
  readonly link?: string
}

/** The inbox of all agents. */
export interface InboxFolder {
  list(): readonly OfferFile[]
  /** Keeps a pushed offer. @returns `known` when the same one came before. */
  keep(agent: string, link: string): 'kept' | 'known'
  /** Received: what remains is a mark, by which the same push is recognised. */
  close(offer: OfferFile): void
  /** Nobody will receive it; the operator may look at it and remove it. Of pushed ones the last hundred stay. */
  refuse(offer: OfferFile): void
}

const MOST_BYTES = 65_536
/** How long a mark of a received offer stays; offers live for days, and the wallet itself remembers this long. */
const MARKED_MS = 30 * 86_400_000
/** Refused pushes that stay for the operator to look at, per agent; whoever pushes must not fill the disk. */
const MOST_REFUSED = 100
/** A file that `keep` named. */
const PUSHED_NAME = /^[\w-]{22}\.refused$/

/**
 * Opens the inbox, private to this user.
 *
 * @throws {TypeError} `inbox_foreign`, `start_up_failed`.
 */
export function openInboxFolder(folder: string, agents: readonly string[]): InboxFolder {
  for (const place of [folder, ...agents.map((agent) => join(folder, agent))]) makePrivate(place)
  for (const agent of agents) removeOldMarks(join(folder, agent))
  const move = ({ path }: OfferFile, extension: string) =>
    renameSync(path, `${path.slice(0, -extname(path).length)}${extension}`)
  return {
    list: () => agents.flatMap((agent) => offersIn(join(folder, agent), agent)),
    keep(agent, link) {
      const name = join(folder, agent, nameOf(link))
      if (['.pushed', '.done', '.refused'].some((extension) => exists(`${name}${extension}`))) return 'known'
      writeFileSync(`${name}.new`, `${link}\n`, { mode: 0o600 })
      renameSync(`${name}.new`, `${name}.pushed`)
      return 'kept'
    },
    close(offer) {
      if (offer.from === 'folder') return rmSync(offer.path, { force: true })
      // The link is spent, its name is enough.
      writeFileSync(offer.path, '', { mode: 0o600 })
      move(offer, '.done')
    },
    refuse(offer) {
      move(offer, '.refused')
      if (offer.from === 'push') removeOldRefusals(join(folder, offer.agent), basename(offer.path, '.pushed'))
    },
  }
}

function offersIn(folder: string, agent: string): readonly OfferFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && ['.offer', '.pushed'].includes(extname(entry.name)))
    .map(({ name }) => {
      const path = join(folder, name)
      const link = readLink(path)
      const id = `inb_${nameOf(`${agent}\n${name}\n${link ?? ''}`)}`
      const from = extname(name) === '.pushed' ? 'push' : 'folder'
      return { id, agent, path, from, ...(link === undefined ? {} : { link }) }
    })
}

function removeOldMarks(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => extname(one) === '.done')) {
    const path = join(folder, name)
    if (lstatSync(path).mtimeMs < Date.now() - MARKED_MS) rmSync(path)
  }
}

/** The oldest refused pushes go, never the one that was refused just now. */
function removeOldRefusals(folder: string, latest: string): void {
  const names = readdirSync(folder).filter((one) => PUSHED_NAME.test(one) && one !== `${latest}.refused`)
  if (names.length < MOST_REFUSED) return
  const ages = names.map((name) => ({ name, at: lstatSync(join(folder, name)).mtimeMs }))
  for (const { name } of ages.sort((a, b) => b.at - a.at).slice(MOST_REFUSED - 1)) rmSync(join(folder, name))
}

function readLink(path: string): string | undefined {
  if (lstatSync(path).size > MOST_BYTES) return undefined
  const link = readFileSync(path, 'utf8').trim()
  return link === '' ? undefined : link
}

function nameOf(text: string): string {
  return encodeBase64url(createHash('sha256').update(text).digest().subarray(0, 16))
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function makePrivate(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const stats = lstatSync(folder)
    if (!stats.isDirectory() || (process.getuid !== undefined && stats.uid !== process.getuid())) {
      throw startUpError('inbox_foreign', `The inbox folder ${folder} is no folder of this user.`)
    }
    chmodSync(folder, 0o700)
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw systemFailure(error, `The inbox folder ${folder}`)
  }
}
