/**
 * The master keys of the daemon: from key files, from a passphrase, or from the service manager.
 *
 * Owns where each comes from. A passphrase is stretched by scrypt with parameters that are made once and kept
 * beside the data: they are no secret, and without them the passphrase opens nothing. A systemd credential is a
 * file of this service alone, in the folder that `CREDENTIALS_DIRECTORY` names (`LoadCredential=` or
 * `LoadCredentialEncrypted=` in the unit).
 *
 * Source: RFC 7914, section 2; systemd.exec(5), Credentials; threat model, row 26.
 *
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isJsonObject, type Random } from '@attache/core'
import { type ConfiguredFiles, type NamedKey, startUpError, systemFailure } from '@attache/daemon'
import { createPassphraseParameters, deriveMasterKey } from '@attache/keys'
import type { MasterKeyConfiguration } from './configuration.js'

/** What reading keys needs. */
export interface MasterKeyDeps {
  readonly files: ConfiguredFiles
  readonly random: Random
  /** `CREDENTIALS_DIRECTORY`: set by systemd for a service with credentials. */
  readonly credentialsFolder: string | undefined
}

/**
 * Reads the keys, in their order: the first wraps, all open.
 *
 * @throws {TypeError} `secret_key_malformed`, `credentials_directory_missing`, `credential_name_malformed`,
 *   `passphrase_too_short`, `passphrase_parameters_invalid`, `file_malformed`, `start_up_failed`.
 */
export function readMasterKeys(
  configured: readonly MasterKeyConfiguration[],
  deps: MasterKeyDeps,
): Promise<readonly NamedKey[]> {
  return Promise.all(
    configured.map(async (one) => {
      if (typeof one === 'string') return deps.files.secretKey(one)
      return 'credential' in one ? fromCredential(one.credential, deps) : fromPassphrase(one, deps)
    }),
  )
}

function fromCredential(name: string, { files, credentialsFolder }: MasterKeyDeps): NamedKey {
  if (credentialsFolder === undefined || credentialsFolder === '') {
    throw startUpError(
      'credentials_directory_missing',
      `The master key ${JSON.stringify(name)} is a systemd credential, and CREDENTIALS_DIRECTORY is not set. Start the daemon as a unit with LoadCredential=${name}.`,
    )
  }
  if (basename(name) !== name || name === '..') {
    throw startUpError('credential_name_malformed', 'The name of a systemd credential has no slash in it.')
  }
  return files.secretKey(join(credentialsFolder, name))
}

async function fromPassphrase(
  { passphrase, parameters }: { readonly passphrase: string; readonly parameters: string },
  { files, random }: MasterKeyDeps,
): Promise<NamedKey> {
  const path = files.path(parameters)
  const secret = files.text(passphrase).replace(/\r?\n$/, '')
  if (!existsSync(path)) {
    try {
      // Never over a file that is there: other parameters make another key, and the data would stay shut.
      const made = JSON.stringify(createPassphraseParameters({ random }))
      writeFileSync(path, `${made}\n`, { mode: 0o600, flag: 'wx', flush: true })
    } catch (error) {
      throw systemFailure(error, `The file ${path}`)
    }
  }
  const stored = files.json(parameters)
  if (!isJsonObject(stored))
    throw startUpError('file_malformed', `The file ${path} must hold scrypt parameters.`)
  return { id: basename(path), key: await deriveMasterKey(secret, stored) }
}
