/**
 * Who vouches for this daemon, as its configuration says: a key of its own, or an attester that knows the workload.
 *
 * Owns reading the workload token: anew for every question, since platforms replace the file long before a token
 * ends. With an attester the daemon holds no secret that anybody gave it: its instance keys are made here and sealed.
 * The master key of the vault (a file or a systemd credential) protects what lies on disk and is shown to nobody.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { type OutboundFetch, VerificationError } from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import { createAnchors } from '@attache/keys'
import {
  ATTESTATION_FAILURES,
  type Attester,
  createRemoteAttester,
  createWalletProvider,
  MAX_WORKLOAD_TOKEN_LENGTH,
} from '@attache/wallet'
import type { AttesterConfiguration, WalletConfiguration } from './configuration.js'
import { malformed } from './strict-configuration.js'
import { withoutAbsent } from './without-absent.js'

/** What building it needs. */
export interface AttestationDeps {
  readonly files: ConfiguredFiles
  readonly fetch: OutboundFetch
}

/**
 * Builds the configured attester. The token file need not be there yet.
 *
 * @throws {TypeError} What a start fails with: `attester_options_invalid`, `anchor_malformed`, the codes of the files.
 */
export function createConfiguredAttester(
  { walletProvider, attestation }: Pick<WalletConfiguration, 'walletProvider' | 'attestation'>,
  { files, fetch }: AttestationDeps,
): Attester {
  if (attestation !== undefined) return remote(attestation.attester, { files, fetch })
  if (walletProvider === undefined) throw malformed('The configuration needs walletProvider or attestation.')
  const { issuer, lifetimeSeconds, keyStorage } = walletProvider
  const options = withoutAbsent({ issuer, lifetimeSeconds, keyStorage })
  return createWalletProvider(options, { signer: files.signer(walletProvider) })
}

function remote(
  { url, workloadTokenFile, anchors }: AttesterConfiguration,
  { files, fetch }: AttestationDeps,
): Attester {
  const trust =
    anchors === undefined
      ? {}
      : { anchors: createAnchors('attestation.attester.anchors', [files.text(anchors)]) }
  const path = files.path(workloadTokenFile)
  return createRemoteAttester(
    { attester: url, ...trust },
    { fetch, readToken: () => readWorkloadToken(path) },
  )
}

/**
 * Reads the token of this workload.
 *
 * @throws {VerificationError} `workload_token_unreadable`: there is no file, or no token in it.
 */
export async function readWorkloadToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unreadable(
      `${path} cannot be read. See that the platform mounts it, for the user of this daemon.`,
      cause,
    )
  })
  const token = text.trim()
  if (token.length <= MAX_WORKLOAD_TOKEN_LENGTH && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return token
  throw unreadable(`${path} holds no JWT. Check attestation.attester.workloadTokenFile.`)
}

function unreadable(what: string, cause?: unknown): VerificationError {
  const message = `${ATTESTATION_FAILURES.workload_token_unreadable} ${what}`
  return new VerificationError('workload_token_unreadable', message, cause === undefined ? {} : { cause })
}
