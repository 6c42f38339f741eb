/**
 * Measuring small operations on a machine that others use too.
 *
 * All cases run in turns, in batches of a few milliseconds, and the fastest batch of each counts: what
 * disturbs a batch can only make it slower, and taking turns lets a slow minute hit all cases alike. Ratios
 * between cases of one run are therefore worth more than the absolute numbers.
 *
 * @module
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {() => unknown} run One operation; may return a promise.
 * @property {number} [batch] Operations per batch. Default 30.
 * @property {{ of: string, times: number, atLeast?: number }} [share] Compares with `times` runs of another case:
 *   1 means no cost of its own. `atLeast` is the goal.
 * @property {number} [atMostMicroseconds] The goal in microseconds.
 */

/** @param {Case} one */
async function batchMicroseconds({ run, batch = 30 }) {
  const started = performance.now()
  for (let count = 0; count < batch; count += 1) {
    const done = run()
    if (done instanceof Promise) await done
  }
  return ((performance.now() - started) * 1000) / batch
}

/**
 * Measures cases in turns.
 *
 * @param {readonly Case[]} cases
 * @param {{ rounds: number }} options
 * @returns {Promise<Map<string, number>>} Microseconds per operation, by name.
 */
export async function measure(cases, { rounds }) {
  const best = new Map(cases.map(({ name }) => [name, Number.POSITIVE_INFINITY]))
  for (let round = 0; round < rounds + 10; round += 1) {
    for (const one of cases) {
      const took = await batchMicroseconds(one)
      // The first rounds only warm up.
      if (round >= 10) best.set(one.name, Math.min(best.get(one.name) ?? took, took))
    }
  }
  return best
}

/**
 * One line per case: operations per second, microseconds, ratio and goal.
 *
 * @param {readonly Case[]} cases
 * @param {ReadonlyMap<string, number>} best
 * @returns {{ lines: string[], missed: string[] }} `missed` names the cases short of their goal.
 */
export function report(cases, best) {
  const missed = []
  const lines = cases.map((one) => {
    const took = best.get(one.name) ?? Number.NaN
    const goal = judge(one, took, best)
    if (goal.missed) missed.push(one.name)
    const rate = Math.round(1e6 / took).toLocaleString('en-US')
    return `${one.name.padEnd(46)}${rate.padStart(12)}/s ${took.toFixed(took < 10 ? 3 : 1).padStart(10)} µs  ${goal.text}`
  })
  return { lines, missed }
}

function judge({ share, atMostMicroseconds: most }, took, best) {
  if (share !== undefined) {
    const ratio = (share.times * (best.get(share.of) ?? Number.NaN)) / took
    const wanted = share.atLeast === undefined ? '' : ` (goal ${Math.round(share.atLeast * 100)} %)`
    return {
      text: `${Math.round(ratio * 100)} % of ${share.times} × ${share.of}${wanted}`,
      missed: share.atLeast !== undefined && ratio < share.atLeast,
    }
  }
  if (most !== undefined) return { text: `(goal ${most} µs)`, missed: took > most }
  return { text: '', missed: false }
}
