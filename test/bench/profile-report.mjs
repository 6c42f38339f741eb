/**
 * A sampled profile as text: the heaviest packages and functions, per operation.
 *
 * @module
 */

/** A name that says which room or package a function belongs to. */
function placeOf({ functionName, url, lineNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName
  const inside = /(packages\/[^/]+\/dist\/.*|node_modules\/(?!\.pnpm).*)$/.exec(url)
  const place = inside?.[1] ?? url
  return place === '' ? name : `${name} ${place}:${lineNumber + 1}`
}

const packageOf = (place) =>
  /packages\/[^/]+/.exec(place)?.[0] ?? /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1] ?? 'Node and V8'

const add = (map, name, time) => map.set(name, (map.get(name) ?? 0) + time)

function weigh(profile) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  )
  const weighed = { self: new Map(), total: new Map(), zodUnder: new Map(), byPackage: new Map(), busy: 0 }
  profile.samples.forEach((id, at) => {
    const took = profile.timeDeltas[at]
    const { callFrame } = nodes.get(id)
    if (callFrame.functionName === '(idle)' || callFrame.functionName === '(program)') return
    weighed.busy += took
    add(weighed.self, placeOf(callFrame), took)
    const seen = new Set()
    for (let step = id; step !== undefined; step = parents.get(step)) {
      seen.add(placeOf(nodes.get(step).callFrame))
    }
    seen.delete('(root)')
    const chain = [...seen]
    const outer = chain.find((place) => place.includes('packages/'))
    if (chain[0]?.includes('node_modules/zod') && outer !== undefined) add(weighed.zodUnder, outer, took)
    add(weighed.byPackage, packageOf(chain[0] ?? ''), took)
    for (const name of seen) add(weighed.total, name, took)
  })
  return weighed
}

/**
 * Writes a profile as text.
 *
 * @param {{ nodes: readonly object[], samples: readonly number[], timeDeltas: readonly number[] }} profile
 * @param {{ title: string, count: number }} about `count`: how many operations were profiled.
 */
export function profileReport(profile, { title, count }) {
  const { self, total, zodUnder, byPackage, busy } = weigh(profile)
  const table = (map) =>
    [...map]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 20)
      .map(([name, took]) => {
        const share = ((took / busy) * 100).toFixed(1).padStart(5)
        return `${share} %  ${(took / 1000 / count).toFixed(3).padStart(7)} ms  ${name}`
      })
      .join('\n')
  const own = new Map([...total].filter(([name]) => name.includes('packages/')))
  return [
    `${title}, JavaScript time each.`,
    `By package\n${table(byPackage)}`,
    `Time inside zod, by who called it\n${table(zodUnder)}`,
    `The function itself\n${table(self)}`,
    `Ours, with all they call (asynchronous parts count where they resume)\n${table(own)}`,
  ].join('\n\n')
}
