/**
 * The configuration of the API process, as the story writes it and the process reads it.
 *
 * @module
 */
import { z } from 'zod'

/** All files as absolute paths. */
export interface ApiConfiguration {
  readonly origin: string
  readonly port: number
  readonly dataFolder: string
  readonly vct: string
  readonly tls: { readonly key: string; readonly certificate: string }
  readonly signing: { readonly key: string; readonly certificates: string }
  /** PEM files of the anchors, one for each purpose. */
  readonly credentialIssuers: string
  readonly statusLists: string
  readonly walletAttesters: string
  readonly tlsAuthority: string
  /** Hosts with private addresses that may be called. */
  readonly allowPrivate: readonly string[]
}

/** Reads the text of the configuration file. */
export function parseApiConfiguration(text: string): ApiConfiguration {
  const file = z.string().min(1)
  return z
    .strictObject({
      origin: z.string(),
      port: z.int(),
      dataFolder: file,
      vct: z.string(),
      tls: z.strictObject({ key: file, certificate: file }),
      signing: z.strictObject({ key: file, certificates: file }),
      credentialIssuers: file,
      statusLists: file,
      walletAttesters: file,
      tlsAuthority: file,
      allowPrivate: z.array(z.string()),
    })
    .parse(JSON.parse(text))
}
