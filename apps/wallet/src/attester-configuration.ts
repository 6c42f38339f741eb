/**
 * The configuration file of `attache-wallet attest`, version 1.
 *
 * Owns its shape. It is a file of its own because an attester is a process of its own, with another user and another
 * key than any wallet: who can read a wallet's files must not be able to vouch.
 *
 * @module
 */
import type { ListenerConfiguration, TlsFiles } from '@attache/daemon'
import type { JwsAlgorithm } from '@attache/keys'
import type { WorkloadRule } from '@attache/wallet'
import { z } from 'zod'
import { malformed, parseStrictly } from './strict-configuration.js'

/** A platform whose workload tokens count; the keys by exactly one of `jwksUri`, `discovery` and `jwks` (a file). */
export interface TokenIssuerConfiguration {
  readonly issuer: string
  readonly audience: string
  readonly jwksUri?: string | undefined
  readonly discovery?: true | undefined
  readonly jwks?: string | undefined
  readonly algorithms: readonly JwsAlgorithm[]
  readonly maxLifetimeSeconds?: number | undefined
}

/** The configuration of an attester. */
export interface AttesterProcessConfiguration {
  readonly version: 1
  /** Its identifier: what wallets call, and what attestations carry as `iss`. */
  readonly attester: string
  readonly listen: ListenerConfiguration & { readonly tls: TlsFiles }
  /** Where the audit trail lies, of everybody who was vouched for. Left out, there is the log alone. */
  readonly dataFolder?: string | undefined
  /** The key that vouches, and the PEM file of its chain, without the root. */
  readonly signing: { readonly key: string; readonly certificates: string }
  readonly attestationSeconds?: number | undefined
  readonly challengeSeconds?: number | undefined
  readonly tokenIssuers: readonly TokenIssuerConfiguration[]
  readonly rules: readonly RuleConfiguration[]
  /** How long keys of token issuers are believed, in seconds. */
  readonly keyCache: {
    readonly maxAgeSeconds?: number | undefined
    readonly cooldownSeconds?: number | undefined
    readonly maxStaleSeconds?: number | undefined
  }
  /** PEM files trusted for fetching keys beside the system's. */
  readonly trustedCertificates: readonly string[]
  /** Hosts (`name` or `name:port`) whose internal addresses may be called. */
  readonly allowPrivate: readonly string[]
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** A rule as it is written; see `WorkloadRule`. */
export type RuleConfiguration = {
  readonly [Member in keyof WorkloadRule]: WorkloadRule[Member] | undefined
} & Pick<WorkloadRule, 'id' | 'issuer' | 'subject' | 'clientId'>

/**
 * Reads the text of a configuration file.
 *
 * @throws {TypeError} `configuration_malformed`, with the path of the first mistake.
 */
export function parseAttesterConfiguration(text: string): AttesterProcessConfiguration {
  const configuration = parseStrictly(text, attesterSchema())
  configuration.tokenIssuers.forEach(({ jwksUri, discovery, jwks }, at) => {
    if ([jwksUri, discovery, jwks].filter((one) => one !== undefined).length === 1) return
    throw malformed(
      `The configuration member tokenIssuers.${at} needs exactly one of jwksUri, discovery and jwks.`,
    )
  })
  return configuration
}

/** No none and no MAC: those are not even names here. */
const ALGORITHMS = [
  'RS256',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
] as const

function attesterSchema() {
  const file = z.string().min(1)
  const seconds = z.int().min(1).max(86_400).optional()
  return z.strictObject({
    version: z.literal(1),
    attester: z.string().min(1),
    listen: z.strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.int().min(0).max(65_535),
      tls: z.strictObject({ certificate: file, key: file }),
      pathPrefix: z
        .string()
        .regex(/^(\/[\w.~-]+)+$/, 'write it as /path, without a final slash')
        .optional(),
    }),
    dataFolder: file.optional(),
    signing: z.strictObject({ key: file, certificates: file }),
    attestationSeconds: seconds,
    challengeSeconds: seconds,
    tokenIssuers: z.array(tokenIssuerSchema()).min(1),
    rules: z.array(ruleSchema()).min(1),
    keyCache: z
      .strictObject({ maxAgeSeconds: seconds, cooldownSeconds: seconds, maxStaleSeconds: seconds })
      .default({}),
    trustedCertificates: z.array(file).default([]),
    allowPrivate: z.array(z.string().min(1)).default([]),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  })
}

function tokenIssuerSchema() {
  const text = z.string().min(1)
  return z.strictObject({
    issuer: text,
    audience: text,
    jwksUri: text.optional(),
    discovery: z.literal(true).optional(),
    jwks: text.optional(),
    algorithms: z.array(z.enum(ALGORITHMS)).min(1),
    maxLifetimeSeconds: z.int().min(60).max(86_400).optional(),
  })
}

function ruleSchema() {
  const text = z.string().min(1)
  const step = z.union([text, z.int().min(0)])
  return z.strictObject({
    id: text,
    issuer: text,
    subject: text,
    claims: z
      .array(
        z.strictObject({
          path: z.array(step).min(1),
          equals: z.union([z.string(), z.number(), z.boolean()]),
        }),
      )
      .optional(),
    clientId: text,
    agents: z.array(text).min(1).optional(),
  })
}
