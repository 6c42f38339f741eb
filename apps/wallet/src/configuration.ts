/**
 * The configuration file, version 1.
 *
 * Owns reading it strictly: an unknown member is refused with its path and the nearest name, because a
 * misspelt security setting must not be a setting that is silently off. Files it names are read elsewhere.
 *
 * @module
 */

import { parseJson } from '@attache/core'
import { nearestName, startUpError } from '@attache/daemon'
import type { TransactionDataType } from '@attache/wallet'
import { z } from 'zod'

/** An issuer whose credentials are taken; `anchors`, `statusAnchors` and `metadataAnchors` are PEM files. */
export interface IssuerConfiguration {
  readonly credentialIssuer: string
  readonly authorizationServers?: readonly string[] | undefined
  readonly vcts: readonly string[]
  readonly anchors: string
  readonly statusAnchors?: string | undefined
  readonly metadataAnchors?: string | undefined
  readonly requiredClaims?: readonly string[] | undefined
  readonly copies?: number | undefined
  readonly use?: 'once' | 'reuse' | undefined
  readonly encryption?: 'never' | 'if-offered' | 'always' | undefined
  readonly claimedIssuer?: 'warn' | 'refuse' | undefined
  readonly preferredGrant?: 'pre-authorized_code' | 'authorization_code' | undefined
  readonly metadataWithoutTrailingSlash?: boolean | undefined
}

/** A verifier that may be answered; `anchors` is a PEM file, absent for a client under a DID. */
export interface VerifierConfiguration {
  readonly clientId: string
  readonly anchors?: string | undefined
  readonly apis: readonly string[]
  readonly authorizationServer?: string | undefined
  readonly hosts?: readonly string[] | undefined
  readonly responseUris?: readonly string[] | undefined
  readonly requestAudience?: 'static' | 'request-uri' | undefined
  readonly challengeAudience?: 'endpoint' | 'origin' | undefined
}

/** The release policy: a file of rules, or Cedar policies with their schema. */
export type PolicyConfiguration =
  | { readonly rules: string }
  | { readonly cedar: string; readonly schema: string; readonly entities?: string | undefined }

/**
 * A master key: a file with 32 bytes in base64url, a systemd credential with the same content, or a passphrase
 * file with the file of its scrypt parameters (made at the first start).
 */
export type MasterKeyConfiguration =
  | string
  | { readonly credential: string }
  | { readonly passphrase: string; readonly parameters: string }

/** The configuration. */
export interface WalletConfiguration {
  readonly version: 1
  readonly tenant: string
  readonly profile: 'base' | 'haip'
  readonly dataFolder: string
  /** Where the sockets lie: `<agent>.sock`, `operator.sock`, and a token file beside each. */
  readonly runtimeFolder: string
  /** The first wraps, all open. */
  readonly masterKeys: readonly MasterKeyConfiguration[]
  readonly walletProvider: {
    readonly issuer?: string | undefined
    readonly key: string
    readonly certificates: string
    readonly lifetimeSeconds?: number | undefined
    readonly keyStorage?: readonly string[] | undefined
  }
  /** PEM files trusted for outgoing https beside the system's. */
  readonly trustedCertificates: readonly string[]
  /** Hosts (`name` or `name:port`) whose internal addresses may be called. */
  readonly allowPrivate: readonly string[]
  readonly agents: readonly { readonly id: string; readonly clientId: string }[]
  readonly issuers: readonly IssuerConfiguration[]
  readonly verifiers: readonly VerifierConfiguration[]
  readonly policy: PolicyConfiguration
  readonly algorithms: readonly string[]
  readonly redirectUri?: string | undefined
  readonly errorDelivery?: 'local' | 'protocol' | undefined
  readonly transactionDataTypes?: readonly TransactionDataType[] | undefined
  /** Seconds between two rounds of renewal. */
  readonly maintenanceSeconds: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/**
 * Reads the text of a configuration file.
 *
 * @throws {TypeError} `configuration_malformed`, with the path of the first mistake.
 */
export function parseConfiguration(text: string): WalletConfiguration {
  const json = parseJson(text)
  if (!json.ok) throw malformed(`The configuration is not JSON (${json.reason}).`)
  const schema = configurationSchema()
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) throw malformed(describe(parsed.error, schema))
  return parsed.data
}

function configurationSchema() {
  const file = z.string().min(1)
  const texts = z.array(z.string().min(1))
  return z.strictObject({
    version: z.literal(1),
    tenant: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/)
      .default('default'),
    profile: z.enum(['base', 'haip']),
    dataFolder: file,
    runtimeFolder: file,
    masterKeys: z
      .array(
        z.union([
          file,
          z.strictObject({ credential: file }),
          z.strictObject({ passphrase: file, parameters: file }),
        ]),
      )
      .min(1),
    walletProvider: z.strictObject({
      issuer: z.string().min(1).optional(),
      key: file,
      certificates: file,
      lifetimeSeconds: z.int().min(60).max(86_400).optional(),
      keyStorage: texts.optional(),
    }),
    trustedCertificates: z.array(file).default([]),
    allowPrivate: texts.default([]),
    agents: z.array(z.strictObject({ id: z.string().min(1), clientId: z.string().min(1) })).min(1),
    issuers: z.array(issuerSchema(file)).default([]),
    verifiers: z.array(verifierSchema(file)).default([]),
    policy: z.union([
      z.strictObject({ rules: file }),
      z.strictObject({ cedar: file, schema: file, entities: file.optional() }),
    ]),
    algorithms: texts.min(1).default(['ES256']),
    redirectUri: z.string().optional(),
    errorDelivery: z.enum(['local', 'protocol']).optional(),
    transactionDataTypes: z.array(transactionDataTypeSchema()).optional(),
    maintenanceSeconds: z.int().min(1).max(86_400).default(30),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  })
}

function transactionDataTypeSchema() {
  const members = z.record(z.string().min(1), z.enum(['string', 'number', 'boolean', 'object', 'array']))
  return z.strictObject({
    type: z.string().min(1),
    required: members.optional(),
    optional: members.optional(),
  })
}

function issuerSchema(file: z.ZodString) {
  const texts = z.array(z.string().min(1))
  return z.strictObject({
    credentialIssuer: z.string().min(1),
    authorizationServers: texts.min(1).optional(),
    vcts: texts.min(1),
    anchors: file,
    statusAnchors: file.optional(),
    metadataAnchors: file.optional(),
    requiredClaims: texts.optional(),
    copies: z.int().min(1).max(100).optional(),
    use: z.enum(['once', 'reuse']).optional(),
    encryption: z.enum(['never', 'if-offered', 'always']).optional(),
    claimedIssuer: z.enum(['warn', 'refuse']).optional(),
    preferredGrant: z.enum(['pre-authorized_code', 'authorization_code']).optional(),
    metadataWithoutTrailingSlash: z.boolean().optional(),
  })
}

function verifierSchema(file: z.ZodString) {
  const texts = z.array(z.string().min(1))
  return z.strictObject({
    clientId: z.string().min(1),
    anchors: file.optional(),
    apis: texts.default([]),
    authorizationServer: z.string().optional(),
    hosts: texts.optional(),
    responseUris: texts.optional(),
    requestAudience: z.enum(['static', 'request-uri']).optional(),
    challengeAudience: z.enum(['endpoint', 'origin']).optional(),
  })
}

function describe(error: z.ZodError, schema: z.ZodType): string {
  // A name that is not known explains the one that is missing.
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0]
  if (issue === undefined) return 'The configuration is malformed.'
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') {
    return `The configuration member ${path === '' ? '(top level)' : path} is wrong: ${issue.message}.`
  }
  const name = issue.keys[0] ?? ''
  const nearest = nearestName(name, memberNames(schema, issue.path))
  const meant = nearest === undefined ? 'Remove it.' : `Did you mean ${nearest}?`
  return `The configuration has an unknown member ${[...issue.path, name].join('.')}. ${meant}`
}

/** The names that are known at a path of the schema. */
function memberNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const here = bare(schema)
  if (here instanceof z.ZodArray && here.element instanceof z.ZodType) {
    return memberNames(here.element, path.slice(1))
  }
  if (!(here instanceof z.ZodObject)) return []
  const [first, ...rest] = path
  if (first === undefined) return Object.keys(here.shape)
  const inner: unknown = here.shape[String(first)]
  return inner instanceof z.ZodType ? memberNames(inner, rest) : []
}

/** A schema without its defaults and its leave to be absent. */
function bare(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
  const inner: unknown = wrapped ? schema.unwrap() : undefined
  return inner instanceof z.ZodType ? bare(inner) : schema
}

function malformed(message: string): TypeError {
  return startUpError('configuration_malformed', message)
}
