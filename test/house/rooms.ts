/**
 * The house as data: which room stands on which floor and what it may import.
 *
 * The other house tests compare this table with every package.json and every import statement. Moving a wall
 * means changing this table, with the reason in the commit.
 *
 * @module
 */

/** One package or app. */
export interface Room {
  /** Folder, relative to the repository. */
  readonly folder: string
  /** Package name. */
  readonly name: string
  /** Rooms below that it may import, by package name without scope. */
  readonly rooms: readonly string[]
  /** Outside packages it may import. */
  readonly outside: readonly string[]
  /** `node:` modules it may import; `*` for any. */
  readonly builtins: readonly string[]
  /** Apps it starts as processes: dependencies of its package.json that it never imports. */
  readonly starts?: readonly string[]
}

/** What may be computed without touching the world outside the process. */
const PURE = ['node:crypto', 'node:zlib', 'node:buffer', 'node:util']
const WIRE = ['sd-jwt', 'status-list', 'oauth']
const SENSE = ['policy', 'audit']

const room = (short: string, rest: Omit<Room, 'folder' | 'name'>): Room => ({
  folder: `packages/${short}`,
  name: `@attache/${short}`,
  ...rest,
})
const app = (folder: string, name: string, rest: Omit<Room, 'folder' | 'name'>): Room => ({
  folder: `apps/${folder}`,
  name: `@attache/${name}`,
  ...rest,
})

/** Floors 0 to 5, from the ground up. zod is for `parse…` alone; see `types-of-zod` in the surface test. */
export const ROOMS: readonly Room[] = [
  room('core', {
    rooms: [],
    outside: [],
    builtins: [
      ...PURE,
      'node:https',
      'node:http',
      'node:dns',
      'node:dns/promises',
      'node:net',
      'node:tls',
      'node:stream',
    ],
  }),
  room('keys', {
    rooms: ['core'],
    outside: ['jose', '@peculiar/x509', 'reflect-metadata', 'zod'],
    builtins: PURE,
  }),
  room('agent', {
    rooms: [],
    outside: [],
    builtins: [
      'node:http',
      'node:https',
      'node:tls',
      'node:net',
      'node:fs',
      'node:fs/promises',
      'node:path',
      'node:buffer',
      'node:stream',
    ],
  }),
  room('sd-jwt', {
    rooms: ['core', 'keys'],
    outside: ['@sd-jwt/sd-jwt-vc', '@sd-jwt/crypto-nodejs', 'zod'],
    builtins: PURE,
  }),
  room('status-list', {
    rooms: ['core', 'keys'],
    outside: ['zod'],
    builtins: PURE,
  }),
  room('oauth', {
    rooms: ['core', 'keys'],
    outside: ['http-message-signatures', 'zod'],
    builtins: PURE,
  }),
  room('openid4vci', {
    rooms: ['core', 'keys', 'oauth'],
    outside: ['zod'],
    builtins: PURE,
  }),
  room('openid4vp', {
    rooms: ['core', 'keys', 'oauth'],
    outside: ['zod'],
    builtins: PURE,
  }),
  room('policy', {
    rooms: ['core'],
    outside: ['@cedar-policy/cedar-wasm', 'zod'],
    builtins: PURE,
  }),
  room('audit', { rooms: ['core', 'keys'], outside: ['zod'], builtins: PURE }),
  room('issuer', {
    rooms: ['core', 'keys', ...WIRE, 'openid4vci', ...SENSE],
    outside: ['ajv', 'yaml', 'zod'],
    builtins: PURE,
  }),
  room('wallet', {
    rooms: ['core', 'keys', 'agent', ...WIRE, 'openid4vci', 'openid4vp', ...SENSE],
    outside: ['zod'],
    builtins: PURE,
  }),
  room('verifier', {
    rooms: ['core', 'keys', ...WIRE, 'openid4vp', ...SENSE],
    outside: ['zod'],
    builtins: PURE,
  }),
  room('storage', {
    rooms: ['core', 'keys'],
    outside: ['level', 'pg', 'ioredis', 'zod'],
    builtins: [...PURE, 'node:fs', 'node:fs/promises', 'node:path'],
  }),
  // What servers start with. A room of its own because apps import no app, and both servers need it.
  room('daemon', {
    rooms: ['core', 'keys'],
    outside: ['pino'],
    builtins: [...PURE, 'node:fs', 'node:path', 'node:http', 'node:https'],
  }),
  room('express', {
    rooms: ['core', 'keys', 'verifier', 'issuer'],
    // The types package is an optional peer: `request.presentation` is typed there from the route's query.
    outside: ['express', '@types/express-serve-static-core', 'zod'],
    builtins: [...PURE, 'node:http', 'node:stream', 'node:stream/web'],
  }),
  room('testing', {
    rooms: ['core', 'keys', ...WIRE, 'openid4vci', 'openid4vp', ...SENSE, 'issuer', 'wallet', 'verifier'],
    outside: ['zod'],
    builtins: PURE,
  }),
  app('issuer-server', 'issuer-server', {
    rooms: ['core', 'keys', ...WIRE, 'openid4vci', ...SENSE, 'issuer', 'storage', 'daemon'],
    outside: [
      'commander',
      'csv-parse',
      'pino',
      'zod',
      'qrcode',
      'openid-client',
      'prom-client',
      '@opentelemetry/api',
    ],
    builtins: ['*'],
  }),
  app('wallet', 'wallet-daemon', {
    rooms: [
      'core',
      'keys',
      'agent',
      ...WIRE,
      'openid4vci',
      'openid4vp',
      ...SENSE,
      'wallet',
      'storage',
      'daemon',
    ],
    outside: ['commander', 'pino', 'zod', 'prom-client', '@opentelemetry/api'],
    builtins: ['*'],
  }),
  app('cli', 'cli', {
    rooms: ['agent', 'core'],
    outside: ['commander', 'zod'],
    builtins: ['*'],
  }),
  app('quickstart', 'quickstart', {
    rooms: ['agent', 'core', 'keys', 'oauth', 'storage', 'express', 'verifier'],
    outside: ['express', 'commander', 'zod'],
    builtins: ['*'],
    starts: ['@attache/cli', '@attache/issuer-server', '@attache/wallet-daemon'],
  }),
]

/** What a test beside its source may import besides its own room. */
export const TEST_TOOLS: readonly string[] = ['vitest', 'fast-check']

/**
 * Rooms that a test beside its source may use as well, where its room may: the words every room speaks, and
 * keys to sign test data with. A test that brings two rooms above these together belongs to `test/`.
 */
export const TEST_VOCABULARY: readonly string[] = ['core', 'keys']
