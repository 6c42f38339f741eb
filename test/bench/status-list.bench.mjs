/**
 * Status lists: lookup, pack, unpack, publish and resolve, beside one raw ES256 verification of the same run.
 *
 * Run over the built packages: `npm run build && node test/bench/status-list.bench.mjs`. Seeded; prints one JSON line
 * per measurement and ends with 1 when a target is missed.
 */
import { performance } from 'node:perf_hooks'
import { SILENT_LOG } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseJws, signJws, verifyJws } from '@attache/keys'
import {
  createStatusList,
  createStatusListToken,
  createStatusResolver,
  packStatusList,
  statusAt,
  trustKey,
  unpackStatusList,
  writeStatus,
} from '@attache/status-list'

const NOW = 1_790_000_000
const ENTRIES = 1_048_576
const uri = 'https://issuer.example/status/lst_1'
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const trust = trustKey(signer.publicJwk)

let state = 1
/** Seeded numbers below 2^31. */
function next() {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return state
}

const list = createStatusList(ENTRIES, 2)
for (let set = 0; set < ENTRIES / 100; set += 1) writeStatus(list, next() % ENTRIES, 1)
const indices = Array.from({ length: 4_096 }, () => next() % ENTRIES)

/** Median milliseconds of one call. */
async function measure(calls, work) {
  const rounds = []
  for (let round = 0; round < 9; round += 1) {
    const start = performance.now()
    for (let nth = 0; nth < calls; nth += 1) await work(nth)
    rounds.push((performance.now() - start) / calls)
  }
  return rounds.sort((a, b) => a - b)[4]
}

/** The same without a promise per call. */
function measureSync(calls, work) {
  const rounds = []
  for (let round = 0; round < 9; round += 1) {
    const start = performance.now()
    for (let nth = 0; nth < calls; nth += 1) work(nth)
    rounds.push((performance.now() - start) / calls)
  }
  return rounds.sort((a, b) => a - b)[4]
}

const raw = parseJws(await signJws({ header: { typ: 'raw' }, payload: { a: 1 } }, signer))
const packed = { bits: 2, lst: packStatusList(list) }
const token = await createStatusListToken({ uri, iat: NOW, exp: NOW + 86_400, ttl: 3_600, list }, signer)
const answer = () => new Response(token, { headers: { 'Content-Type': 'application/statuslist+jwt' } })
const open = () =>
  createStatusResolver({ algorithms: ['ES256'] }, { fetch: async () => answer(), log: SILENT_LOG })
const warm = open()
await warm.resolve({ idx: 0, uri }, { trust, now: NOW })

const rawVerify = measureSync(500, () =>
  verifyJws(raw, { typ: 'raw', algorithms: ['ES256'], key: signer.publicJwk }),
)
const results = [
  { name: 'raw ES256 verification', ms: rawVerify },
  {
    name: 'lookup in unpacked bytes',
    ms: measureSync(1_000_000, (nth) => statusAt(list, indices[nth & 4_095])),
    atMost: 0.001,
  },
  {
    name: 'resolve from the cache',
    ms: await measure(20_000, (nth) => warm.resolve({ idx: indices[nth & 4_095], uri }, { trust, now: NOW })),
  },
  { name: 'pack 2^20 entries, 1 % set', ms: measureSync(10, () => packStatusList(list)), atMost: 5 },
  { name: 'unpack 2^20 entries', ms: measureSync(50, () => unpackStatusList(packed)) },
  {
    name: 'sign a token of 2^20 entries',
    ms: await measure(10, () => createStatusListToken({ uri, iat: NOW, list }, signer)),
  },
  {
    name: 'fetch, verify and unpack',
    ms: await measure(50, () => open().resolve({ idx: 1, uri }, { trust, now: NOW })),
  },
]
for (const { name, ms, atMost } of results) {
  const target = atMost === undefined ? {} : { at_most_ms: atMost }
  console.log(
    JSON.stringify({
      name,
      ms: Number(ms.toPrecision(3)),
      raw_verifications: Number((ms / rawVerify).toPrecision(3)),
      ...target,
    }),
  )
}
console.log(JSON.stringify({ name: 'token', bytes: token.length }))
process.exitCode = results.some(({ ms, atMost }) => atMost !== undefined && ms > atMost) ? 1 : 0
