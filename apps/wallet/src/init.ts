/**
 * `attache-wallet init`: a folder with a configuration that starts, from what an operator has at hand.
 *
 * Owns the first wallet.json of a host, its master key and its release rules. Everything given is read and judged
 * before anything is written, and nothing that is there already is ever replaced. Trust is what the operator names:
 * nothing is fetched.
 *
 * Source: OpenID4VP 1.0, section 5.9.3 (`x509_hash`); OpenID4VP 1.0, section 14.4.1.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type JsonObject, parseHttpsUrl, randomText, systemRandom } from '@attache/core'
import { type ConfiguredFiles, createConfiguredFiles, startUpError, systemFailure } from '@attache/daemon'
import { createAnchors, x5cFromPem } from '@attache/keys'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import { AGENT_ID } from '@attache/wallet'
import { parseConfiguration } from './configuration.js'
import { longestSocketPath, MAX_SOCKET_PATH_BYTES, OPERATOR_SOCKET } from './runtime-folder.js'

/** What the operator says; files are PEM and are copied. */
export interface InitOptions {
  readonly folder: string
  readonly agent: readonly string[]
  readonly clientId: string
  readonly issuer: string
  /** Credential types (`vct`) that are taken from the issuer. */
  readonly type: readonly string[]
  readonly issuerAnchors: string
  readonly statusAnchors?: string | undefined
  /** Origin of the API whose verifier may be answered. */
  readonly api: string
  /** Certificate that its requests are signed with: names the verifier. */
  readonly apiCertificate: string
  readonly apiAnchors: string
  /** Names of claims that it may see. */
  readonly claim: readonly string[]
  readonly ca?: string | undefined
  readonly allowPrivate?: readonly string[] | undefined
  /** The wallet provider vouches for this wallet: its identifier, key and certificate chain. */
  readonly provider: string
  readonly providerKey: string
  readonly providerCertificates: string
}

/** What was made. */
export interface Initialized {
  /** Paths of the files, absolute. */
  readonly written: readonly string[]
  readonly config: string
  /** Socket of the operator, once the daemon runs. */
  readonly operatorSocket: string
}

/**
 * Makes the folder.
 *
 * @throws {TypeError} `init_exists`, `init_invalid`, `runtime_folder_too_long`, or what a given file is wrong with:
 *   nothing was written.
 */
export function init(options: InitOptions): Initialized {
  const folder = resolve(options.folder)
  const given = createConfiguredFiles(process.cwd())
  checkOptions(options, folder)
  const contents = new Map([
    ...copiedFiles(options, given),
    ['master.key', `${randomText(systemRandom)}\n`],
    ['release.json', jsonText(releaseRules(options, given))],
  ])
  // Last, so that a folder with a wallet.json is a whole one.
  contents.set('wallet.json', jsonText(configurationOf(options, given)))
  parseConfiguration(contents.get('wallet.json') ?? '')
  const written = writeNew(folder, contents)
  return {
    written,
    config: join(folder, 'wallet.json'),
    operatorSocket: join(folder, 'run', `${OPERATOR_SOCKET}.sock`),
  }
}

function checkOptions({ agent, issuer, api }: InitOptions, folder: string): void {
  const wrongAgent = agent.find((id) => id === OPERATOR_SOCKET || !AGENT_ID.test(id))
  if (wrongAgent !== undefined)
    throw startUpError('init_invalid', `The agent id ${JSON.stringify(wrongAgent)} cannot name a socket.`)
  if (parseHttpsUrl(issuer) === undefined) throw startUpError('init_invalid', 'The issuer is no https URL.')
  if (parseHttpsUrl(api)?.origin !== api)
    throw startUpError('init_invalid', 'The API is no https origin such as https://api.example.')
  const bytes = longestSocketPath(join(folder, 'run'), agent)
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    const message = `A socket path in ${folder} would have ${bytes} bytes, and at most ${MAX_SOCKET_PATH_BYTES} work. Choose a shorter --folder.`
    throw startUpError('runtime_folder_too_long', message)
  }
}

/** The files that were named, judged and ready to be copied. */
function copiedFiles(options: InitOptions, files: ConfiguredFiles): readonly (readonly [string, string])[] {
  const anchors = (name: string, file: string | undefined): readonly (readonly [string, string])[] => {
    if (file === undefined) return []
    const pem = files.text(file)
    createAnchors(file, [pem])
    return [[name, pem]]
  }
  const { providerKey: key, providerCertificates: certificates } = options
  files.signer({ key, certificates })
  return [
    ...anchors('issuer-ca.pem', options.issuerAnchors),
    ...anchors('status-ca.pem', options.statusAnchors),
    ...anchors('verifier-ca.pem', options.apiAnchors),
    ...anchors('tls-ca.pem', options.ca),
    ['provider.key', files.text(key)],
    ['provider.pem', files.text(certificates)],
  ]
}

function configurationOf(options: InitOptions, files: ConfiguredFiles): JsonObject {
  const { agent, clientId, issuer, type, statusAnchors, api, ca, allowPrivate = [], provider } = options
  return {
    version: 1,
    profile: 'haip',
    dataFolder: 'data',
    runtimeFolder: 'run',
    masterKeys: ['master.key'],
    walletProvider: { issuer: provider, key: 'provider.key', certificates: 'provider.pem' },
    trustedCertificates: ca === undefined ? [] : ['tls-ca.pem'],
    allowPrivate: [...allowPrivate],
    agents: agent.map((id) => ({ id, clientId })),
    issuers: [
      {
        credentialIssuer: issuer,
        vcts: [...type],
        anchors: 'issuer-ca.pem',
        ...(statusAnchors === undefined ? {} : { statusAnchors: 'status-ca.pem' }),
      },
    ],
    verifiers: [{ clientId: verifierOf(options, files), anchors: 'verifier-ca.pem', apis: [api] }],
    policy: { rules: 'release.json' },
  }
}

function releaseRules(options: InitOptions, files: ConfiguredFiles): readonly JsonObject[] {
  return [
    {
      id: 'api-may-see-named-claims',
      effect: 'allow',
      principals: options.agent.map((id) => ({ type: 'Agent', id })),
      actions: ['present'],
      resources: [{ type: 'Verifier', id: verifierOf(options, files) }],
      when: [
        { path: ['context', 'vct'], op: 'in', value: [...options.type] },
        { path: ['context', 'claims'], op: 'subset', value: [...options.claim] },
      ],
    },
  ]
}

function verifierOf({ apiCertificate }: InitOptions, files: ConfiguredFiles): string {
  const [leaf] = x5cFromPem(files.text(apiCertificate))
  if (leaf !== undefined) return x509HashClientIdentifier(leaf)
  throw startUpError('init_invalid', `The file ${files.path(apiCertificate)} holds no certificate.`)
}

function writeNew(folder: string, contents: ReadonlyMap<string, string>): readonly string[] {
  const paths = [...contents].map(([name, content]) => ({ path: join(folder, name), content }))
  const there = paths.find(({ path }) => existsSync(path))
  if (there !== undefined) {
    throw startUpError(
      'init_exists',
      `The file ${there.path} is there already and stays as it is. Name another --folder.`,
    )
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const { path, content } of paths) writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    throw systemFailure(error, `The folder ${folder}`)
  }
  return paths.map(({ path }) => path)
}

function jsonText(value: JsonObject | readonly JsonObject[]): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
