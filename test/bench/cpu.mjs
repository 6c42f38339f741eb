/**
 * CPU time of servers, in turns: all candidates in every round, the median round of each counts.
 *
 * @module
 */

/**
 * @typedef {object} Candidate
 * @property {string} name
 * @property {{ cpu(): Promise<number> }} server
 * @property {(count: number, ready: unknown) => Promise<unknown>} run Does so many operations.
 * @property {(count: number) => Promise<unknown>} [prepare] Makes what `run` is handed; not counted.
 * @property {number} [per] How many small operations `run` does for each. Default 1.
 */

/**
 * Measures candidates in turns, after a round that warms up.
 *
 * @param {readonly Candidate[]} candidates
 * @param {{ rounds: number, count: number }} options
 * @returns {Promise<Map<string, number>>} CPU milliseconds per operation, by name.
 */
export async function measureCpu(candidates, { rounds, count }) {
  const taken = new Map(candidates.map(({ name }) => [name, []]))
  for (const { run, prepare } of candidates) await run(count * 3, await prepare?.(count * 3))
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, server, run, prepare, per = 1 } of candidates) {
      const ready = await prepare?.(count)
      const before = await server.cpu()
      await run(count, ready)
      taken.get(name).push(((await server.cpu()) - before) / (count * per))
    }
  }
  return new Map([...taken].map(([name, all]) => [name, median(all)]))
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Does work with each item, a few at a time; `undefined` is no item. */
export async function inParallel(items, width, work) {
  const waiting = [...items]
  const results = []
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      results.push(await work(next))
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}

/** One line per candidate: milliseconds, and how many times as much the peer took. */
export function cpuLines(results, peer) {
  return [...results].map(([name, ms]) => {
    const ratio =
      peer === undefined || name === peer ? '' : `${(results.get(peer) / ms).toFixed(1)} × less than ${peer}`
    return `${name.padEnd(56)}${ms.toFixed(3).padStart(9)} ms CPU  ${ratio}`
  })
}

/** The number after `--name`, or what is usual. */
export function numberOption(name, usual) {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? usual : Number(process.argv[at + 1])
}
