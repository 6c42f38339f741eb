/**
 * The certificates of the story: one authority for each purpose, so that no list trusts more than it must.
 *
 * Made once per data folder. The authorities' private keys are dropped as soon as their leaves are signed.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type NumericDate, type Random, systemRandom } from '@attache/core'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
} from '@attache/keys'

const DAY = 86_400
const LIFETIME_DAYS = 365
const TLS_SERVER = '1.3.6.1.5.5.7.3.1'

/** A leaf of the story: who signs or serves with it. */
interface Leaf {
  /** File name without extension. */
  readonly name: string
  readonly commonName: string
  readonly extendedKeyUsages?: readonly string[]
}

/** What the certificates of the story are for; each line has an authority of its own. */
const PURPOSES: readonly { readonly authority: string; readonly leaves: readonly Leaf[] }[] = [
  {
    authority: 'tls',
    leaves: [
      { name: 'issuer-tls', commonName: 'localhost', extendedKeyUsages: [TLS_SERVER] },
      { name: 'api-tls', commonName: 'localhost', extendedKeyUsages: [TLS_SERVER] },
    ],
  },
  {
    authority: 'credential-issuers',
    leaves: [{ name: 'credential-signer', commonName: 'Acme HR credential signer' }],
  },
  {
    authority: 'status-lists',
    leaves: [{ name: 'status-signer', commonName: 'Acme HR status list signer' }],
  },
  { authority: 'request-signers', leaves: [{ name: 'request-signer', commonName: 'Acme payroll API' }] },
  { authority: 'wallet-providers', leaves: [{ name: 'wallet-provider', commonName: 'Acme agent platform' }] },
]

/** Where the files of the story's certificates lie. */
export interface TrustFiles {
  /** PEM of the authority for a purpose, for example `tls`. */
  authority(purpose: string): string
  /** PEM private key of a leaf. */
  key(leaf: string): string
  /** PEM chain of a leaf, without its authority. */
  chain(leaf: string): string
}

/** Names the files below a folder; nothing is read or written. */
export function trustFiles(folder: string): TrustFiles {
  return {
    authority: (purpose) => join(folder, `${purpose}-ca.pem`),
    key: (leaf) => join(folder, 'private', `${leaf}.key.pem`),
    chain: (leaf) => join(folder, `${leaf}.pem`),
  }
}

/**
 * Makes what is missing.
 *
 * @param issuerIdentifier Goes into the credential signer's certificate as URI.
 * @returns Whether something was made.
 */
export async function makeTrust(
  files: TrustFiles,
  issuerIdentifier: string,
  now: NumericDate,
): Promise<boolean> {
  const last = PURPOSES.at(-1)?.leaves.at(-1)
  if (last !== undefined && existsSync(files.chain(last.name))) return false
  mkdirSync(dirname(files.key('any')), { recursive: true, mode: 0o700 })
  for (const { authority, leaves } of PURPOSES) {
    await makePurpose({ authority, leaves, issuerIdentifier, now }, files, systemRandom)
  }
  return true
}

async function makePurpose(
  purpose: {
    readonly authority: string
    readonly leaves: readonly Leaf[]
    readonly issuerIdentifier: string
    readonly now: NumericDate
  },
  files: TrustFiles,
  random: Random,
): Promise<void> {
  // An hour back: the clock of whoever checks may be a little slow.
  const validity = { notBefore: purpose.now - 3600, notAfter: purpose.now + LIFETIME_DAYS * DAY }
  const authority = await createCertificateAuthority(
    { commonName: `Quickstart ${purpose.authority}`, privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random },
  )
  writeFileSync(files.authority(purpose.authority), authority.pem)
  for (const leaf of purpose.leaves) {
    const privateJwk = generatePrivateJwk('ES256')
    const certificate = await issueCertificate(
      {
        commonName: leaf.commonName,
        publicJwk: createSoftwareSigner(privateJwk).publicJwk,
        issuer: authority,
        dnsNames: ['localhost'],
        uris: leaf.name === 'credential-signer' ? [purpose.issuerIdentifier] : [],
        ...(leaf.extendedKeyUsages === undefined ? {} : { extendedKeyUsages: leaf.extendedKeyUsages }),
        ...validity,
      },
      { random },
    )
    writeFileSync(files.key(leaf.name), privateJwkToPem(privateJwk), { mode: 0o600 })
    writeFileSync(files.chain(leaf.name), certificate.pem)
  }
}
