/**
 * The configuration file, version 1.
 *
 * Owns reading it strictly: an unknown member is refused with its path and the nearest name, because a
 * misspelt security setting must not be a setting that is silently off. Files it names are read elsewhere.
 *
 * One issuer is written at the top level; several stand in `issuers`, each with a tenant of its own.
 *
 * @module
 */

import { isJsonObject, parseJson } from '@attache/core'
import { type ListenerConfiguration, nearestName, startUpError } from '@attache/daemon'
import { z } from 'zod'
import type { IssuerConfiguration } from './issuer-configuration.js'

/** The configuration. */
export interface IssuerServerConfiguration {
  readonly version: 1
  readonly dataFolder: string
  readonly listen: ListenerConfiguration
  /** Left out: there is no management listener. */
  readonly management?: (ListenerConfiguration & { readonly tokenFile: string }) | undefined
  /** Files with 32 bytes, base64url; the first seals, all open. */
  readonly sealKeys: readonly string[]
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** At least one; all on one origin. */
  readonly issuers: readonly IssuerConfiguration[]
  /** Whether the file named its issuers as a list: operators then say which one they mean. */
  readonly several: boolean
}

/**
 * Reads the text of a configuration file.
 *
 * @throws {TypeError} `configuration_malformed`, with the path of the first mistake.
 */
export function parseConfiguration(text: string): IssuerServerConfiguration {
  const json = parseJson(text)
  if (!json.ok)
    throw malformed(`The configuration is not JSON (${json.reason}): see its commas, quotes and brackets.`)
  if (isJsonObject(json.value) && Object.hasOwn(json.value, 'issuers')) {
    return { ...parseWith(severalSchema(), json.value), several: true }
  }
  const { version, dataFolder, listen, management, sealKeys, logLevel, ...issuer } = parseWith(
    singleSchema(),
    json.value,
  )
  const process = { version, dataFolder, listen, management, sealKeys, logLevel }
  return { ...process, issuers: [issuer], several: false }
}

function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw malformed(describe(parsed.error, schema))
}

const file = () => z.string().min(1)
const seconds = (most: number) => z.int().min(1).max(most)
const tenant = () => z.string().regex(/^[a-z0-9-]{1,64}$/)

function singleSchema() {
  return z.strictObject({
    ...processMembers(),
    ...issuerMembers(),
    tenant: tenant().default('default'),
  })
}

function severalSchema() {
  const issuer = z.strictObject({ ...issuerMembers(), tenant: tenant() })
  return z.strictObject({ ...processMembers(), issuers: z.array(issuer).min(1) })
}

/** What the process needs: where it listens, where its data and keys lie. */
function processMembers() {
  const tls = z.strictObject({ certificate: file(), key: file() })
  const listener = { host: z.string().min(1).default('127.0.0.1'), port: z.int().min(0).max(65_535) }
  return {
    version: z.literal(1),
    dataFolder: file(),
    listen: z.strictObject({
      ...listener,
      tls: tls.optional(),
      pathPrefix: z
        .string()
        .regex(/^(\/[\w.~-]+)+$/, 'write it as /path, without a final slash')
        .optional(),
    }),
    management: z
      .strictObject({
        ...listener,
        host: z.enum(['127.0.0.1', '::1', 'localhost']).default('127.0.0.1'),
        tls,
        tokenFile: file(),
      })
      .optional(),
    sealKeys: z.array(file()).min(1),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  }
}

/** What each issuer has for itself. */
function issuerMembers() {
  return { ...offerMembers(), ...keyMembers(), ...trustMembers(), ...signInMembers() }
}

/** What the issuer offers. */
function offerMembers() {
  return {
    credentialIssuer: z.string(),
    mode: z.enum(['base', 'haip']),
    templates: z.array(file()).min(1),
    grants: z.array(z.enum(['pre-authorized_code', 'authorization_code'])).min(1),
    transactionCode: z
      .strictObject({
        inputMode: z.enum(['numeric', 'text']).default('numeric'),
        length: z.int().min(4).max(32).default(6),
        description: z.string().max(300).optional(),
        fixed: z.string().min(4).max(32).optional(),
      })
      .nullable(),
    transactionCodeAttempts: z.int().min(1).max(10).optional(),
    batchSize: z.int().min(2).max(100).optional(),
    statusList: z.strictObject({
      ttlSeconds: seconds(31_536_000),
      lifetimeSeconds: seconds(31_536_000),
      size: z.int().min(1).optional(),
      cacheSeconds: z.int().min(0).optional(),
    }),
    notifications: z.boolean().default(false),
    refreshTokenSeconds: seconds(31_536_000).optional(),
    refreshRotationGraceSeconds: z.int().min(30).max(86_400).optional(),
    credentialIdentifiers: z.boolean().default(false),
    lifetimes: lifetimes(),
    display: z
      .array(z.strictObject({ name: z.string().min(1), locale: z.string().optional() }))
      .min(1)
      .optional(),
  }
}

/** Keys of the issuer and what they are used for. */
function keyMembers() {
  const key = { key: file(), certificates: file().optional() }
  const retired = z.strictObject({
    publicKey: file(),
    signedUntil: z.iso.date(),
    publishedUntil: z.iso.date(),
  })
  const signing = z.strictObject({
    ...key,
    next: z.array(z.strictObject(key)).default([]),
    retired: z.array(retired).default([]),
  })
  return {
    signing,
    statusSigning: signing.optional(),
    keyMetadata: z.boolean().default(false),
    signedMetadata: z.boolean().default(false),
    encryption: z
      .strictObject({
        keys: z.array(file()).min(1),
        encValues: z
          .array(z.enum(['A128GCM', 'A256GCM']))
          .min(1)
          .default(['A128GCM', 'A256GCM']),
        requestRequired: z.boolean().default(false),
        response: z.enum(['off', 'offered', 'required']).default('offered'),
      })
      .optional(),
  }
}

function lifetimes() {
  return z
    .strictObject({
      offer: seconds(86_400).optional(),
      accessToken: seconds(3600).optional(),
      cNonce: seconds(3600).optional(),
      keyProof: seconds(3600).optional(),
      transaction: seconds(31_536_000).optional(),
      interval: seconds(86_400).optional(),
      requestUri: seconds(599).optional(),
      code: seconds(60).optional(),
    })
    .default({})
}

/** Which clients and keys are trusted, and with what. */
function trustMembers() {
  const attester = z.strictObject({
    name: z.string().min(1),
    anchors: file(),
    issuer: z.string().optional(),
    clients: z.union([z.literal('any'), z.array(z.string().min(1)).min(1)]),
  })
  return {
    clientAuthentication: z.enum(['attestation', 'none']),
    anonymousAccess: z.boolean().default(true),
    attestationChallenges: z.boolean().default(false),
    maxAttestationAgeSeconds: seconds(31_536_000).optional(),
    dpopNonces: z.boolean().default(false),
    algorithms: z.array(z.string()).min(1).optional(),
    walletAttesters: z.array(attester).default([]),
    keyAttesters: file().optional(),
    proofCertificates: file().optional(),
    redirectUris: z.array(z.string().min(1)).min(1).optional(),
  }
}

/** Who approves in the authorization code flow. */
function signInMembers() {
  const operator = z.strictObject({
    name: z.string().min(1),
    passwordFile: file(),
    owner: z.string().optional(),
  })
  return {
    operators: z.array(operator).default([]),
    upstream: z
      .strictObject({
        issuer: z.string().startsWith('https://'),
        clientId: z.string().min(1),
        clientSecretFile: file(),
        ownerClaim: z.string().min(1),
        nameClaim: z.string().min(1).default('name'),
        scope: z
          .string()
          .regex(/^openid( |$)/)
          .default('openid profile'),
        certificateAuthority: file().optional(),
        allowPrivate: z.array(z.string().min(1)).default([]),
      })
      .optional(),
    automaticApproval: z
      .strictObject({ name: z.string().min(1), agents: z.array(z.string().min(1)).min(1) })
      .optional(),
  }
}

function describe(error: z.ZodError, schema: z.ZodType): string {
  // A misspelt name explains why another one is missing, so it is said first.
  const misspelt = error.issues.find(({ code }) => code === 'unrecognized_keys')
  const issue = misspelt ?? error.issues[0]
  if (issue === undefined) return 'The configuration is malformed.'
  const path = issue.path.join('.')
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return `The configuration member ${path} is missing. Add it.`
  }
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
  const wrapped =
    schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
  const inner: unknown = wrapped ? schema.unwrap() : undefined
  return inner instanceof z.ZodType ? bare(inner) : schema
}

function malformed(message: string): TypeError {
  return startUpError('configuration_malformed', message)
}
