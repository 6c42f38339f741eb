/**
 * The files a configuration names: keys, certificates, tokens, policies.
 *
 * Owns reading them and saying plainly which one is wrong. A secret is never part of a message.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { decodeBase64url, isJsonObject, type JsonValue, parseJson } from '@attache/core'
import {
  createDecryptionKey,
  createSoftwareSigner,
  type DecryptionKey,
  privateJwkFromPem,
  type Signer,
  x5cFromPem,
} from '@attache/keys'
import { startUpError, systemFailure } from './start-up-error.js'

/** A key of 32 bytes and the name by which what it sealed finds it again. */
export interface NamedKey {
  readonly id: string
  readonly key: Uint8Array
}

/** Reads the files of one configuration; paths are relative to its folder. Every reader throws `TypeError`. */
export interface ConfiguredFiles {
  path(file: string): string
  text(file: string): string
  /** JSON, read strictly: `file_malformed`. */
  json(file: string): JsonValue
  /** A signer from a key file (PEM or JWK) and a chain file (PEM, without the root): `private_key_malformed`. */
  signer(signing: { readonly key: string; readonly certificates?: string | undefined }): Signer
  /** 32 bytes, base64url: `secret_key_malformed`. The id is the file's name, so that rotation is adding a file. */
  secretKey(file: string): NamedKey
  /** A private JWK on P-256. */
  decryptionKey(file: string): DecryptionKey
  /** One line of at least `leastLength` characters: `token_malformed`. @default 32 */
  token(file: string, leastLength?: number): string
}

/** Makes the reader for the files of a configuration that lies in `folder`. */
export function createConfiguredFiles(folder: string): ConfiguredFiles {
  const path = (file: string): string => resolve(folder, file)
  const text = (file: string): string => readText(path(file))
  return {
    path,
    text,
    json: (file) => {
      const parsed = parseJson(text(file), { maxDepth: 32 })
      if (parsed.ok) return parsed.value
      throw startUpError('file_malformed', `The file ${path(file)} must be JSON (${parsed.reason}).`)
    },
    signer: ({ key, certificates }) => {
      const x5c = certificates === undefined ? undefined : x5cFromPem(text(certificates))
      return createSoftwareSigner(privateJwk(text(key), path(key)), x5c === undefined ? {} : { x5c })
    },
    secretKey: (file) => {
      const key = decodeBase64url(text(file).trim())
      if (key?.length === 32) return { id: fileId(file), key }
      throw startUpError(
        'secret_key_malformed',
        `The key file ${path(file)} must hold 32 random bytes in base64url.`,
      )
    },
    decryptionKey: (file) => createDecryptionKey(privateJwk(text(file), path(file))),
    token: (file, leastLength = 32) => {
      const token = text(file).trim()
      if (/^[\x21-\x7e]+$/.test(token) && token.length >= leastLength) return token
      throw startUpError(
        'token_malformed',
        `The file ${path(file)} must hold at least ${leastLength} printable ASCII characters, none of them a space.`,
      )
    },
  }
}

/**
 * Reads a text file.
 *
 * @throws {TypeError} `start_up_failed`, with one line that names the file.
 */
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

function fileId(file: string): string {
  const name = file.split(/[\\/]/).at(-1) ?? ''
  return name.replace(/[^\w-]/g, '-').slice(0, 64)
}
