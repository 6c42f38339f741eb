/**
 * The signing keys of an issuer over time: active, next, retired, as the configuration names them.
 *
 * Owns reading their files. Which one is published when, and for how long at least, `@attache/issuer` says.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import type { KeyPublication, KeySuccession } from '@attache/issuer'
import { type PublicJwk, parsePublicJwk } from '@attache/keys'
import type { IssuerConfiguration, SigningConfiguration } from './issuer-configuration.js'

/**
 * The keys to publish; undefined: they are not published.
 *
 * @throws {TypeError} `signing_keys`: keys are named that nobody would see, or a retired key's file is wrong.
 */
export function keyPublication(
  configuration: IssuerConfiguration,
  files: ConfiguredFiles,
): KeyPublication | undefined {
  const { signing, statusSigning } = configuration
  const keys = succession(signing, files)
  const statusLists = statusSigning && {
    ...succession(statusSigning, files),
    active: files.signer(statusSigning).publicJwk,
  }
  if (configuration.keyMetadata) {
    return { ...keys, statusLists, statusTokenSeconds: configuration.statusList.lifetimeSeconds }
  }
  const named = [keys, ...(statusLists ? [statusLists] : [])]
  // Where a certificate chain is all that verifiers look at, the next key needs no announcement.
  if (named.every(({ next, retired }) => next.length + retired.length === 0)) return undefined
  throw configurationError(
    'signing_keys',
    'Next and retired keys are published by keyMetadata. Set it to true.',
  )
}

function succession(signing: SigningConfiguration, files: ConfiguredFiles): KeySuccession {
  return {
    // Read as signers: a key that could not take over is noticed now and not on the day it must.
    next: signing.next.map((key) => files.signer(key).publicJwk),
    retired: signing.retired.map((key) => ({
      publicJwk: publicKey(key.publicKey, files),
      signedUntil: midnight(key.signedUntil),
      publishedUntil: midnight(key.publishedUntil),
    })),
  }
}

function publicKey(file: string, files: ConfiguredFiles): PublicJwk {
  const value = files.json(file)
  try {
    return parsePublicJwk(value)
  } catch {
    throw configurationError(
      'signing_keys',
      `The file ${files.path(file)} must hold a public JWK. Destroy the private key of a retired one.`,
    )
  }
}

function midnight(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / 1000
}
