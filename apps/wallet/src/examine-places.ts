/**
 * Secrets, folders and socket paths of the configuration: are they there, for this user alone, and short enough.
 *
 * Source: threat model, rows 16, 21 and 25.
 *
 * @module
 */
import { type Stats, statSync } from 'node:fs'
import type { Finding } from '@attache/agent'
import type { ConfiguredFiles } from '@attache/daemon'
import type { WalletConfiguration } from './configuration.js'
import { longestSocketPath, MAX_SOCKET_PATH_BYTES } from './runtime-folder.js'

/** Examines them all. */
export function examinePlaces(
  configuration: WalletConfiguration,
  files: ConfiguredFiles,
): readonly Finding[] {
  return [
    ...secretFiles(configuration).map((file) => examinePlace(`secret:${file}`, files.path(file), '600')),
    ...folders(configuration).map((folder) => examinePlace(`folder:${folder}`, files.path(folder), '700')),
    examineSocketPaths(configuration, files),
  ]
}

function secretFiles(configuration: WalletConfiguration): readonly string[] {
  const { masterKeys, walletProvider, requestKeys, remote, visitors, inbox, offers } = configuration
  const master = masterKeys.map((one) =>
    typeof one === 'string' ? one : 'passphrase' in one ? one.passphrase : undefined,
  )
  const named = [
    ...master,
    walletProvider?.key,
    ...requestKeys,
    remote?.listen.tls.key,
    ...(remote?.clients ?? []).map(({ tokenFile }) => tokenFile),
    visitors?.listen.tls.key,
    visitors?.statusTokenFile,
    visitors?.transactionCodeFile,
    inbox?.push?.listen.tls.key,
    ...offers.map(({ transactionCodeFile }) => transactionCodeFile),
  ]
  return [...new Set(named.filter((file) => file !== undefined))]
}

function folders({ dataFolder, runtimeFolder, visitors, inbox }: WalletConfiguration): readonly string[] {
  return [dataFolder, runtimeFolder, visitors?.dataFolder, inbox?.folder].filter(
    (folder) => folder !== undefined,
  )
}

function examinePlace(check: string, path: string, mode: '600' | '700'): Finding {
  const stats = lookAt(path)
  if (stats === undefined) {
    const message = 'It is not there, or this user may not look; the next start would fail. Restore it.'
    return { check, outcome: 'failed', message }
  }
  if (process.getuid !== undefined && stats.uid !== process.getuid()) {
    const message = `It belongs to another user. Run chown ${process.getuid()} ${path}.`
    return { check, outcome: 'warning', message }
  }
  if ((stats.mode & 0o077) === 0)
    return { check, outcome: 'ok', message: 'It is there, for this user alone.' }
  const message = `Others on this host can reach it. Run chmod ${mode} ${path}.`
  return { check, outcome: 'warning', message }
}

function examineSocketPaths({ runtimeFolder, agents }: WalletConfiguration, files: ConfiguredFiles): Finding {
  const bytes = longestSocketPath(
    files.path(runtimeFolder),
    agents.map(({ id }) => id),
  )
  const check = 'socket-paths'
  const fits = bytes <= MAX_SOCKET_PATH_BYTES
  const message = `The longest socket path has ${bytes} bytes of ${MAX_SOCKET_PATH_BYTES}.`
  if (fits) return { check, outcome: 'ok', message }
  return { check, outcome: 'failed', message: `${message} Name a shorter runtimeFolder.` }
}

function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
