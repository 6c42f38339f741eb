/**
 * The files a configuration names: keys, certificates, tokens, templates.
 *
 * Owns reading them and saying plainly which one is wrong. A secret is never part of a message.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { decodeBase64url, isJsonObject, parseJson } from '@attache/core'
import {
  createDecryptionKey,
  createSoftwareSigner,
  type DecryptionKey,
  privateJwkFromPem,
  type Signer,
  x5cFromPem,
} from '@attache/keys'
import type { SigningConfiguration } from './configuration.js'
import { startUpError, systemFailure } from './start-up-error.js'

/** Reads the files of one configuration; paths are relative to its folder. */
export interface ConfiguredFiles {
  path(file: string): string
  text(file: string): string
  signer(signing: SigningConfiguration): Signer
  /** 32 bytes, base64url. */
  sealKey(file: string): { readonly id: string; readonly key: Uint8Array }
  /** A private JWK on P-256. */
  decryptionKey(file: string): DecryptionKey
  /** One line of at least `leastLength` characters. @default 32 */
  token(file: string, leastLength?: number): string
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
    sealKey: (file) => {
      const key = decodeBase64url(text(file).trim())
      if (key?.length !== 32) {
        throw startUpError(
          'seal_key_malformed',
          `The seal key ${path(file)} must be 32 random bytes in base64url.`,
        )
      }
      return { id: fileId(file), key }
    },
    decryptionKey: (file) => createDecryptionKey(privateJwk(text(file), path(file))),
    token: (file, leastLength = 32) => {
      const token = text(file).trim()
      if (!/^[\x21-\x7e]+$/.test(token) || token.length < leastLength) {
        throw startUpError(
          'token_malformed',
          `The file ${path(file)} must hold at least ${leastLength} characters.`,
        )
      }
      return token
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

/** The name by which sealed texts find their key again: the file's name, so that rotation is adding a file. */
function fileId(file: string): string {
  const name = file.split(/[\\/]/).at(-1) ?? ''
  return name.replace(/[^\w-]/g, '-').slice(0, 64)
}
