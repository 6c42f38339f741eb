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
import { z } from 'zod'

/** Where to listen, with which certificate. Paths are relative to the configuration file. */
export interface ListenerConfiguration {
  readonly host: string
  readonly port: number
  /** Undefined only on the public listener behind a proxy that ends TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined
}

/** A signing key with its certificate chain. */
export interface SigningConfiguration {
  /** PEM or JWK file. */
  readonly key: string
  /** PEM file: leaf and intermediates, without the root. */
  readonly certificates?: string | undefined
}

/** The configuration. */
export interface IssuerServerConfiguration {
  readonly version: 1
  readonly credentialIssuer: string
  readonly tenant: string
  readonly mode: 'base' | 'haip'
  readonly dataFolder: string
  readonly listen: ListenerConfiguration
  /** Left out: there is no management listener. */
  readonly management?: (ListenerConfiguration & { readonly tokenFile: string }) | undefined
  readonly signing: SigningConfiguration
  /** @default `signing` */
  readonly statusSigning?: SigningConfiguration | undefined
  /** Files with 32 bytes, base64url; the first seals, all open. */
  readonly sealKeys: readonly string[]
  readonly walletAttesters: readonly {
    readonly name: string
    readonly anchors: string
    readonly issuer?: string | undefined
    readonly clients: 'any' | readonly string[]
  }[]
  readonly clientAuthentication: 'attestation' | 'none'
  readonly attestationChallenges: boolean
  readonly dpopNonces: boolean
  readonly templates: readonly string[]
  readonly grants: readonly ('pre-authorized_code' | 'authorization_code')[]
  readonly transactionCode: {
    readonly inputMode: 'numeric' | 'text'
    readonly length: number
    readonly description?: string | undefined
    readonly fixed?: string | undefined
  } | null
  readonly batchSize?: number | undefined
  readonly statusList: {
    readonly ttlSeconds: number
    readonly lifetimeSeconds: number
    readonly size?: number | undefined
    readonly cacheSeconds?: number | undefined
  }
  /** PEM file with the anchors of key attestations. */
  readonly keyAttesters?: string | undefined
  readonly notifications: boolean
  readonly credentialIdentifiers: boolean
  readonly refreshRotationGraceSeconds?: number | undefined
  readonly redirectUris?: readonly string[] | undefined
  /** PEM file with the anchors of keys that a proof names by certificate. */
  readonly proofCertificates?: string | undefined
  readonly signedMetadata: boolean
  readonly refreshTokenSeconds?: number | undefined
  /** Keys are files with private JWKs on P-256. */
  readonly encryption?:
    | {
        readonly keys: readonly string[]
        readonly encValues: readonly ('A128GCM' | 'A256GCM')[]
        readonly requestRequired: boolean
        readonly response: 'off' | 'offered' | 'required'
      }
    | undefined
  /** Who may approve in the authorization code flow. With `owner`: for the agents of that employee only. */
  readonly operators: readonly {
    readonly name: string
    readonly passwordFile: string
    readonly owner?: string | undefined
  }[]
  readonly lifetimes: Readonly<
    Partial<
      Record<
        'offer' | 'accessToken' | 'cNonce' | 'keyProof' | 'transaction' | 'interval' | 'requestUri' | 'code',
        number
      >
    >
  >
  readonly display?: readonly { readonly name: string; readonly locale?: string | undefined }[] | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/**
 * Reads the text of a configuration file.
 *
 * @throws {TypeError} `configuration_malformed`, with the path of the first mistake.
 */
export function parseConfiguration(text: string): IssuerServerConfiguration {
  const json = parseJson(text)
  if (!json.ok) throw malformed(`The configuration is not JSON (${json.reason}).`)
  const schema = configurationSchema()
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) throw malformed(describe(parsed.error, schema))
  const { data } = parsed
  return {
    ...data,
    // What is not said about lifetimes is left to the issuer's defaults.
    lifetimes: Object.fromEntries(Object.entries(data.lifetimes).filter(([, value]) => value !== undefined)),
  }
}

const file = () => z.string().min(1)
const seconds = (most: number) => z.int().min(1).max(most)

function configurationSchema() {
  return z.strictObject({ version: z.literal(1), ...processMembers(), ...issuerMembers(), ...trustMembers() })
}

/** What the process needs: where it listens, where its data and keys lie. */
function processMembers() {
  const tls = z.strictObject({ certificate: file(), key: file() })
  const listener = { host: z.string().min(1).default('127.0.0.1'), port: z.int().min(0).max(65_535) }
  const signing = z.strictObject({ key: file(), certificates: file().optional() })
  return {
    dataFolder: file(),
    listen: z.strictObject({ ...listener, tls: tls.optional() }),
    management: z
      .strictObject({
        ...listener,
        host: z.enum(['127.0.0.1', '::1', 'localhost']).default('127.0.0.1'),
        tls,
        tokenFile: file(),
      })
      .optional(),
    signing,
    statusSigning: signing.optional(),
    sealKeys: z.array(file()).min(1),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  }
}

/** What the issuer offers. */
function issuerMembers() {
  const encValue = z.enum(['A128GCM', 'A256GCM'])
  return {
    credentialIssuer: z.string(),
    tenant: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/)
      .default('default'),
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
    batchSize: z.int().min(2).max(100).optional(),
    statusList: z.strictObject({
      ttlSeconds: seconds(31_536_000),
      lifetimeSeconds: seconds(31_536_000),
      size: z.int().min(1).optional(),
      cacheSeconds: z.int().min(0).optional(),
    }),
    notifications: z.boolean().default(false),
    signedMetadata: z.boolean().default(false),
    refreshTokenSeconds: seconds(31_536_000).optional(),
    refreshRotationGraceSeconds: z.int().min(30).max(86_400).optional(),
    credentialIdentifiers: z.boolean().default(false),
    encryption: z
      .strictObject({
        keys: z.array(file()).min(1),
        encValues: z.array(encValue).min(1).default(['A128GCM', 'A256GCM']),
        requestRequired: z.boolean().default(false),
        response: z.enum(['off', 'offered', 'required']).default('offered'),
      })
      .optional(),
    lifetimes: lifetimes(),
    display: z
      .array(z.strictObject({ name: z.string().min(1), locale: z.string().optional() }))
      .min(1)
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

/** Who is trusted, and with what. */
function trustMembers() {
  return {
    clientAuthentication: z.enum(['attestation', 'none']),
    attestationChallenges: z.boolean().default(false),
    dpopNonces: z.boolean().default(false),
    walletAttesters: z
      .array(
        z.strictObject({
          name: z.string().min(1),
          anchors: file(),
          issuer: z.string().optional(),
          clients: z.union([z.literal('any'), z.array(z.string().min(1)).min(1)]),
        }),
      )
      .default([]),
    keyAttesters: file().optional(),
    proofCertificates: file().optional(),
    redirectUris: z.array(z.string().min(1)).min(1).optional(),
    operators: z
      .array(z.strictObject({ name: z.string().min(1), passwordFile: file(), owner: z.string().optional() }))
      .default([]),
  }
}

function describe(error: z.ZodError, schema: z.ZodType): string {
  // A misspelt name explains why another one is missing, so it is said first.
  const misspelt = error.issues.find(({ code }) => code === 'unrecognized_keys')
  const issue = misspelt ?? error.issues[0]
  if (issue === undefined) return 'The configuration is malformed.'
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') {
    return `The configuration member ${path === '' ? '(top level)' : path} is wrong: ${issue.message}.`
  }
  const name = issue.keys[0] ?? ''
  const nearest = nearestName(name, memberNames(schema, issue.path))
  const meant = nearest === undefined ? 'Remove it' : `Did you mean ${nearest}?`
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
