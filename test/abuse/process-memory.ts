/**
 * What lies in the memory of another process: `/proc/<pid>/maps` and `/proc/<pid>/mem` of Linux.
 *
 * For tests that say what a process does not know. Where the memory cannot be opened it fails, for a search that
 * saw nothing finds nothing.
 *
 * @module
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** How much is read at once, in bytes. */
const CHUNK = 4 * 1024 * 1024

interface Region {
  readonly from: number
  readonly to: number
}

/** Regions that can be read, but for those of the kernel. */
function regionsOf(pid: number): readonly Region[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')
  return lines.flatMap((line) => {
    const [, from, to, may, name] = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$/.exec(line) ?? []
    if (from === undefined || to === undefined || !may?.startsWith('r') || name?.startsWith('[v')) return []
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }]
  })
}

/**
 * Which of some secrets lie in the memory of a process.
 *
 * @returns Their names, each once, and how many bytes were looked at.
 */
export function findInMemory(
  pid: number,
  secrets: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): { readonly found: ReadonlySet<string>; readonly bytesRead: number } {
  const longest = Math.max(...secrets.map(({ bytes }) => bytes.length))
  const found = new Set<string>()
  const wanted = secrets.map(({ name, bytes }) => ({ name, bytes: Buffer.from(bytes) }))
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  let bytesRead = 0
  try {
    const buffer = Buffer.alloc(CHUNK + longest)
    for (const { from, to } of regionsOf(pid)) {
      // Chunks overlap, so that nothing is missed that lies across two of them.
      for (let at = from; at < to; at += CHUNK) {
        const length = readAt(memory, buffer, { at, most: Math.min(CHUNK + longest, to - at) })
        bytesRead += length
        const seen = buffer.subarray(0, length)
        for (const { name, bytes } of wanted) if (seen.includes(bytes)) found.add(name)
      }
    }
  } finally {
    closeSync(memory)
  }
  return { found, bytesRead }
}

/** Reads until the process has no more there: a region may go while one looks. */
function readAt(
  memory: number,
  buffer: Buffer,
  { at, most }: { readonly at: number; readonly most: number },
): number {
  let length = 0
  try {
    while (length < most) {
      const count = readSync(memory, buffer, length, most - length, at + length)
      if (count === 0) break
      length += count
    }
  } catch {
    // Not mapped any more, or not backed by memory.
  }
  return length
}
