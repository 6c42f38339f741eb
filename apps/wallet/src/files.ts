/**
 * The files a configuration names: master keys, the provider's key, certificates, policies.
 *
 * Owns reading them and saying plainly which one is wrong. A secret is never part of a message.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { decodeBase64url, isJsonObject, type JsonValue, parseJson } from '@attache/core'
import {
  createSoftwareSigner,
  type MasterKey,
  privateJwkFromPem,
  type Signer,
  x5cFromPem,
} from '@attache/keys'
import { startUpError, systemFailure } from './start-up-error.js'

/** Reads the files of one configuration; paths are relative to its folder. */
export interface ConfiguredFiles {
  path(file: string): string
  text(file: string): string
  /** A signer from a key file (PEM or JWK) and a chain file (PEM, without the root). */
  signer(signing: { readonly key: string; readonly certificates?: string | undefined }): Signer
  /** JSON, read strictly. */
  json(file: string): JsonValue
  /** 32 bytes, base64url. */
  masterKey(file: string): MasterKey
}

/** Makes the reader for the files of a configuration that lies in `folder`. */
export function createConfiguredFiles(folder: string): ConfiguredFiles {
  const path = (file: string): string => resolve(folder, file)
  const text = (file: string): string => readText(path(file))
  return {
    path,
    text,
    signer: ({ key, certificates }) => {
      const x5c = certificates === undefined ? undefined : x5cFromPem(text(certificates))
      return createSoftwareSigner(privateJwk(text(key), path(key)), x5c === undefined ? {} : { x5c })
    },
    json: (file) => {
      const parsed = parseJson(text(file), { maxDepth: 32 })
      if (parsed.ok) return parsed.value
      throw startUpError('file_malformed', `The file ${path(file)} must be JSON (${parsed.reason}).`)
    },
    masterKey: (file) => {
      const key = decodeBase64url(text(file).trim())
      if (key?.length === 32) return { id: fileId(file), key }
      throw startUpError(
        'master_key_malformed',
        `The master key ${path(file)} must be 32 random bytes in base64url.`,
      )
    },
  }
}

/** Reads a text file. @throws {TypeError} With one line that names the file. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw systemFailure(error, `The file ${path}`)
  }
}

function privateJwk(text: string, path: string): unknown {
  if (text.includes('-----BEGIN')) return privateJwkFromPem(text)
  const parsed = parseJson(text)
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value
  throw startUpError('private_key_malformed', `The key file ${path} must be PEM or a private JWK.`)
}

/** The name by which records find their master key again: the file's name, so that rotation is adding a file. */
function fileId(file: string): string {
  const name = file.split(/[\\/]/).at(-1) ?? ''
  return name.replace(/[^\w-]/g, '-').slice(0, 64)
}
