/**
 * What the daemon can examine of itself: would it start again as it is configured, and do the clocks agree.
 *
 * Owns the daemon's half of `attache wallet doctor`; socket and token file are examined by the command, which sees
 * them as a caller does. Everything a start would read is read again, so that a mistake in a file shows before the
 * next restart does. Peers are asked for public metadata alone.
 *
 * Source: design, 'Decided once'; threat model, row 21.
 *
 * @module
 */
import { dirname } from 'node:path'
import type { Finding } from '@attache/agent'
import { type OutboundFetch, VerificationError, wellKnownUrl } from '@attache/core'
import { type ConfiguredFiles, createConfiguredFiles, describeFailure, readText } from '@attache/daemon'
import { attesterUrls } from '@attache/wallet'
import { readWorkloadToken } from './attestation.js'
import { parseConfiguration, type WalletConfiguration } from './configuration.js'
import { examineCertificates } from './examine-certificates.js'
import { examinePlaces } from './examine-places.js'
import { createPolicy } from './policy.js'

/** How far a peer's clock may be off before its proofs and ours are refused, in seconds. */
const TOLERATED_SECONDS = 60

/** What examining needs. */
export interface ExamineDeps {
  readonly configPath: string
  readonly fetch: OutboundFetch
  /** The text that the daemon was started with. */
  readonly startedWith: string
  /** The daemon's clock, in milliseconds since 1970. */
  readonly milliseconds: () => number
  /** The machine's clock, which TLS goes by. */
  readonly machineMilliseconds: () => number
  /** Looks at the status lists of what is held. */
  readonly examineStatuses: () => Promise<readonly Finding[]>
}

/** Examines configuration, files, policy, and the clock of each trusted peer. */
export async function examine(deps: ExamineDeps): Promise<readonly Finding[]> {
  const files = createConfiguredFiles(dirname(deps.configPath))
  let configuration: WalletConfiguration | undefined
  const read = await examined('configuration', 'The configuration can be read, version 1.', () => {
    configuration = parseConfiguration(readText(deps.configPath))
  })
  if (configuration === undefined) return [read]
  const { policy } = configuration
  return [
    read,
    examineChange(deps),
    await examined('policy', 'The release policy can be read.', async () => {
      await createPolicy(policy, files)
    }),
    ...examineCertificates(configuration, { ...deps, files }),
    ...examinePlaces(configuration, files),
    ...(await examineWorkloadToken(configuration, files)),
    ...(await Promise.all(peersOf(configuration).map((peer) => examineClock(peer, deps)))),
    ...(await Promise.all(serversOf(configuration).map((peer) => examineServer(peer, deps)))),
    ...(await deps.examineStatuses()),
  ]
}

function examineChange({ configPath, startedWith }: ExamineDeps): Finding {
  const check = 'restart'
  if (readText(configPath) === startedWith)
    return { check, outcome: 'ok', message: 'The daemon runs with the configuration as it stands.' }
  const message = 'The configuration was changed since the start. Restart the daemon to use it.'
  return { check, outcome: 'warning', message }
}

async function examined(check: string, good: string, work: () => Promise<void> | void): Promise<Finding> {
  try {
    await work()
    return { check, outcome: 'ok', message: good }
  } catch (error) {
    const { message } = describeFailure(error)
    return { check, outcome: 'failed', message: `${message} The next start would fail.` }
  }
}

async function examineWorkloadToken(
  { attestation }: WalletConfiguration,
  files: ConfiguredFiles,
): Promise<readonly Finding[]> {
  if (attestation === undefined) return []
  const check = 'workload-token'
  try {
    await readWorkloadToken(files.path(attestation.attester.workloadTokenFile))
    return [{ check, outcome: 'ok', message: 'The workload token can be read.' }]
  } catch (error) {
    const message = error instanceof VerificationError ? error.message : 'The workload token cannot be read.'
    return [{ check, outcome: 'failed', message }]
  }
}

interface Peer {
  readonly name: string
  readonly url: string
}

function peersOf({ issuers, verifiers, attestation }: WalletConfiguration): readonly Peer[] {
  const attester = attestation?.attester.url
  return [
    // Any answer has a Date, also the one that this path is to be posted to.
    ...(attester === undefined ? [] : [{ name: attester, url: attesterUrls(attester).challenge }]),
    ...issuers.map(({ credentialIssuer }) => ({
      name: credentialIssuer,
      url: wellKnownUrl(credentialIssuer, 'openid-credential-issuer'),
    })),
    ...verifiers
      .flatMap(({ apis }) => apis)
      .map((name) => ({ name, url: wellKnownUrl(name, 'oauth-protected-resource') })),
  ]
}

async function examineClock({ name, url }: Peer, deps: ExamineDeps): Promise<Finding> {
  const check = `clock:${name}`
  try {
    const response = await deps.fetch(url)
    const theirs = Date.parse(response.headers.get('Date') ?? '')
    if (Number.isNaN(theirs)) {
      return { check, outcome: 'warning', message: 'The peer answers without a Date; its clock is unknown.' }
    }
    const skew = Math.round((theirs - deps.milliseconds()) / 1000)
    if (Math.abs(skew) <= TOLERATED_SECONDS)
      return { check, outcome: 'ok', message: `The clocks agree (${skew} s).` }
    const message = `The clocks differ by ${skew} s and at most ${TOLERATED_SECONDS} are tolerated. Check the time of this host, then ask the peer.`
    return { check, outcome: 'failed', message }
  } catch (error) {
    const code = error instanceof VerificationError ? error.code : 'fault'
    const message = `The peer cannot be reached (${code}). Check its address, trustedCertificates and allowPrivate.`
    return { check, outcome: 'failed', message }
  }
}

/** Servers that are used beside the issuers and APIs themselves. */
function serversOf({ issuers, verifiers }: WalletConfiguration): readonly Peer[] {
  const named = [
    ...issuers.flatMap(({ credentialIssuer, authorizationServers }) =>
      (authorizationServers ?? []).filter((server) => server !== credentialIssuer),
    ),
    ...verifiers.flatMap(({ authorizationServer, apis }) =>
      authorizationServer === undefined || apis.includes(authorizationServer) ? [] : [authorizationServer],
    ),
  ]
  return [...new Set(named)].map((name) => ({
    name,
    url: wellKnownUrl(name.replace(/\/$/, ''), 'oauth-authorization-server'),
  }))
}

async function examineServer({ name, url }: Peer, deps: ExamineDeps): Promise<Finding> {
  const check = `server:${name}`
  try {
    const { status } = await deps.fetch(url)
    if (status === 200) return { check, outcome: 'ok', message: 'Its metadata can be had.' }
    const message = `Its metadata cannot be had (status ${status}). Check the identifier in the configuration.`
    return { check, outcome: 'failed', message }
  } catch (error) {
    const code = error instanceof VerificationError ? error.code : 'fault'
    const message = `The server cannot be reached (${code}). Check its address, trustedCertificates and allowPrivate.`
    return { check, outcome: 'failed', message }
  }
}
