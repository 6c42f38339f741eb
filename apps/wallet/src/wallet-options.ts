/**
 * The options of the wallet, from the configuration and the files it names.
 *
 * @module
 */
import { type ConfiguredFiles, startUpError } from '@attache/daemon'
import { createAnchors, type DecryptionKey, parseAlgorithms, parseJwks } from '@attache/keys'
import { parseClientMetadata } from '@attache/openid4vp'
import { AGENT_ID, type TrustedVerifier, type WalletOptions } from '@attache/wallet'
import type { VerifierConfiguration, WalletConfiguration } from './configuration.js'
import { OPERATOR_SOCKET } from './runtime-folder.js'
import { withoutAbsent } from './without-absent.js'

/**
 * Reads the options.
 *
 * @throws {TypeError} `agent_invalid`, or what a file is wrong with.
 */
export function walletOptions(configuration: WalletConfiguration, files: ConfiguredFiles): WalletOptions {
  const anchors = (name: string, file: string) => createAnchors(name, [files.text(file)])
  for (const { id } of configuration.agents) {
    if (id === OPERATOR_SOCKET || !AGENT_ID.test(id)) {
      throw startUpError(
        'agent_invalid',
        `The agent id ${JSON.stringify(id)} cannot name a socket. Choose another one.`,
      )
    }
  }
  const { tenant, profile, agents, redirectUri, errorDelivery, unsignedRequests, transactionDataTypes } =
    configuration
  return {
    tenant,
    profile,
    agents,
    algorithms: parseAlgorithms(configuration.algorithms),
    issuers: configuration.issuers.map(({ anchors: file, statusAnchors, metadataAnchors, ...issuer }) => ({
      ...withoutAbsent(issuer),
      anchors: anchors(`anchors of ${issuer.credentialIssuer}`, file),
      ...(statusAnchors === undefined
        ? {}
        : { statusAnchors: anchors(`status anchors of ${issuer.credentialIssuer}`, statusAnchors) }),
      ...(metadataAnchors === undefined
        ? {}
        : { metadataAnchors: anchors(`metadata anchors of ${issuer.credentialIssuer}`, metadataAnchors) }),
    })),
    verifiers: configuration.verifiers.map((verifier) => trustedVerifier(verifier, files)),
    ...withoutAbsent({ redirectUri, errorDelivery, unsignedRequests, transactionDataTypes }),
  }
}

function trustedVerifier(configured: VerifierConfiguration, files: ConfiguredFiles): TrustedVerifier {
  const { anchors, keys, metadata, attesters, ...verifier } = configured
  const jwks = (file: string) => {
    const found = parseJwks(files.json(file))
    if (found.length > 0) return found
    throw startUpError(
      'file_malformed',
      `The file ${files.path(file)} must hold a JWK Set with a usable key.`,
    )
  }
  return {
    ...withoutAbsent(verifier),
    ...(anchors === undefined
      ? {}
      : { anchors: createAnchors(`anchors of ${verifier.clientId}`, [files.text(anchors)]) }),
    ...(keys === undefined ? {} : { keys: jwks(keys) }),
    ...(metadata === undefined ? {} : { metadata: registeredMetadata(metadata, files) }),
    ...(attesters === undefined
      ? {}
      : { attesters: attesters.map((one) => ({ issuer: one.issuer, keys: jwks(one.keys) })) }),
  }
}

function registeredMetadata(file: string, files: ConfiguredFiles) {
  try {
    return parseClientMetadata(files.json(file))
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw startUpError('file_malformed', `The file ${files.path(file)} must hold client metadata.`)
  }
}

/** Keys that verifiers may encrypt request objects to; none configured, none announced. */
export function requestKeys(
  { requestKeys: names }: WalletConfiguration,
  files: ConfiguredFiles,
): { readonly requestKeys?: readonly DecryptionKey[] } {
  return names.length === 0 ? {} : { requestKeys: names.map(files.decryptionKey) }
}
