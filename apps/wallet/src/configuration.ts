/**
 * The configuration file, version 1.
 *
 * Owns reading it strictly: an unknown member is refused with its path and the nearest name, because a
 * misspelt security setting must not be a setting that is silently off. Files it names are read elsewhere.
 *
 * @module
 */

import type { TransactionDataType } from '@attache/wallet'
import { z } from 'zod'
import { type ListenersConfiguration, listenerMembers } from './listener-configuration.js'
import { malformed, parseStrictly } from './strict-configuration.js'

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
  readonly authorization?: 'person' | 'follow' | undefined
}

/** A verifier that may be answered; which of the files it needs depends on the prefix of its `clientId`. */
export interface VerifierConfiguration {
  readonly clientId: string
  /** PEM file, for `x509_hash:` and `x509_san_dns:`. */
  readonly anchors?: string | undefined
  /** JWK Set that verifies its requests, for a client without a prefix. */
  readonly keys?: string | undefined
  /** File with its registered client metadata (JSON); its requests then bring none. */
  readonly metadata?: string | undefined
  /** Whose word counts for `verifier_attestation:`; `keys` is a JWK Set. */
  readonly attesters?: readonly { readonly issuer: string; readonly keys: string }[] | undefined
  readonly apis: readonly string[]
  readonly authorizationServer?: string | undefined
  readonly hosts?: readonly string[] | undefined
  readonly responseUris?: readonly string[] | undefined
  readonly requestAudience?: 'static' | 'request-uri' | undefined
  readonly challengeAudience?: 'endpoint' | 'origin' | undefined
  readonly signedAnswers?: 'as-announced' | 'required' | undefined
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

/** The built-in provider: a key file and the PEM file of its chain, without the root. */
export interface WalletProviderConfiguration {
  readonly issuer?: string | undefined
  readonly key: string
  readonly certificates: string
  readonly lifetimeSeconds?: number | undefined
  readonly keyStorage?: readonly string[] | undefined
}

/** An attester that knows this workload by the token its platform hands out. */
export interface AttesterConfiguration {
  /** Identifier of the attester. */
  readonly url: string
  /** The token as the platform writes it and writes it again; read at every question. */
  readonly workloadTokenFile: string
  /** PEM file with the anchors of the attester's certificate chain. */
  readonly anchors?: string | undefined
}

/** The configuration. */
export interface WalletConfiguration extends ListenersConfiguration {
  readonly version: 1
  readonly tenant: string
  readonly profile: 'base' | 'haip'
  readonly dataFolder: string
  /** Where the sockets lie: `<agent>.sock`, `operator.sock`, and a token file beside each. */
  readonly runtimeFolder: string
  /** The first wraps, all open. */
  readonly masterKeys: readonly MasterKeyConfiguration[]
  /** The daemon vouches for itself with a key from its configuration; instead of `attestation`. */
  readonly walletProvider?: WalletProviderConfiguration | undefined
  /** Somebody else vouches for it; instead of `walletProvider`. */
  readonly attestation?: { readonly attester: AttesterConfiguration } | undefined
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
  readonly unsignedRequests?: 'refuse' | 'typed' | 'any' | undefined
  /** Private JWKs on P-256 that verifiers may encrypt request objects to; announced in this order. */
  readonly requestKeys: readonly string[]
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
  const configuration = parseStrictly(text, configurationSchema())
  if ((configuration.walletProvider === undefined) === (configuration.attestation === undefined)) {
    throw malformed(
      'The configuration needs exactly one of walletProvider (a key of your own) and attestation (an attester that knows this workload).',
    )
  }
  return configuration
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
    walletProvider: z
      .strictObject({
        issuer: z.string().min(1).optional(),
        key: file,
        certificates: file,
        lifetimeSeconds: z.int().min(60).max(86_400).optional(),
        keyStorage: texts.optional(),
      })
      .optional(),
    attestation: z
      .strictObject({
        attester: z.strictObject({ url: file, workloadTokenFile: file, anchors: file.optional() }),
      })
      .optional(),
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
    unsignedRequests: z.enum(['refuse', 'typed', 'any']).optional(),
    requestKeys: z.array(file).default([]),
    ...listenerMembers(),
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
    authorization: z.enum(['person', 'follow']).optional(),
  })
}

function verifierSchema(file: z.ZodString) {
  const texts = z.array(z.string().min(1))
  return z.strictObject({
    clientId: z.string().min(1),
    anchors: file.optional(),
    keys: file.optional(),
    metadata: file.optional(),
    attesters: z.array(z.strictObject({ issuer: z.string().min(1), keys: file })).optional(),
    apis: texts.default([]),
    authorizationServer: z.string().optional(),
    hosts: texts.optional(),
    responseUris: texts.optional(),
    requestAudience: z.enum(['static', 'request-uri']).optional(),
    challengeAudience: z.enum(['endpoint', 'origin']).optional(),
    signedAnswers: z.enum(['as-announced', 'required']).optional(),
  })
}
