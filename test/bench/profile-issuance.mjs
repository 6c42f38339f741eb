/**
 * Where the time of an issuance goes: profiles the server and writes the twenty heaviest functions.
 *
 * `node profile-issuance.mjs > profile-issuance.txt`
 *
 * @module
 */
import { certify } from './certificates.mjs'
import { inParallel, numberOption } from './cpu.mjs'
import { createClient } from './http-client.mjs'
import { createIssuanceWallet, receive } from './issuance-client.mjs'
import { startServer } from './server-process.mjs'

const count = numberOption('count', 400)
const [signing, provider] = await Promise.all([
  certify('Issuer', { dnsNames: ['localhost'] }),
  certify('Provider'),
])
const server = await startServer('./issuer-server.mjs', { signing, provider, store: 'memory' })
const wallet = await createIssuanceWallet(provider)
const client = createClient({ port: server.port })
const run = async (number) => {
  const offers = await server.call('offers', number)
  await inParallel(offers, 4, (offer) => receive(offer, { wallet, server, client }))
}
await run(100)
await server.call('profile')
await run(count)
const profile = await server.call('profiled')
client.close()
await server.stop()

/** A name that says which room or package a function belongs to. */
function placeOf({ functionName, url, lineNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName
  const inside = /(packages\/[^/]+\/dist\/.*|node_modules\/(?!\.pnpm).*)$/.exec(url)
  const place = inside?.[1] ?? url
  return place === '' ? name : `${name} ${place}:${lineNumber + 1}`
}

const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
const parents = new Map(
  profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
)
const self = new Map()
const total = new Map()
const add = (map, name, time) => map.set(name, (map.get(name) ?? 0) + time)
const zodUnder = new Map()
const byPackage = new Map()
const packageOf = (place) =>
  /packages\/[^/]+/.exec(place)?.[0] ?? /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1] ?? 'Node and V8'
let busy = 0
profile.samples.forEach((id, at) => {
  const took = profile.timeDeltas[at]
  const { callFrame } = nodes.get(id)
  if (callFrame.functionName === '(idle)' || callFrame.functionName === '(program)') return
  busy += took
  add(self, placeOf(callFrame), took)
  const seen = new Set()
  for (let step = id; step !== undefined; step = parents.get(step)) {
    seen.add(placeOf(nodes.get(step).callFrame))
  }
  seen.delete('(root)')
  const chain = [...seen]
  const outer = chain.find((place) => place.includes('packages/'))
  if (chain[0]?.includes('node_modules/zod') && outer !== undefined) add(zodUnder, outer, took)
  add(byPackage, packageOf(chain[0] ?? ''), took)
  for (const name of seen) add(total, name, took)
})

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
console.log(`Issuance over the memory store, http; ${count} issuances, JavaScript time per issuance.\n`)
console.log(`By package\n${table(byPackage)}\n`)
console.log(`Time inside zod, by who called it\n${table(zodUnder)}\n`)
console.log(`The function itself\n${table(self)}\n`)
console.log(`Ours, with all they call (asynchronous parts count where they resume)\n${table(own)}`)
