/**
 * The configuration files of the three products, as a deployment would write them by hand.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeBase64url, type JsonValue, randomText, systemRandom } from '@attache/core'
import { sha256, x5cFromPem } from '@attache/keys'
import type { ApiConfiguration } from './api-configuration.js'
import { LOGIN_OWNER } from './login-chapter.js'
import type { Setting } from './setting.js'

/** How soon a revocation must be seen, in seconds: the `ttl` of the status lists. */
export const STATUS_TTL_SECONDS = 5

// Nothing answers there: whoever signs in hands the address the browser ends at to the wallet's operator.
const REDIRECT_URI = 'https://agents.acme.example/signed-in'

/** Writes the issuer's folder: configuration, template, seal key, management token, an owner's password. */
export function configureIssuer(setting: Setting): void {
  const { trust } = setting
  mkdirSync(setting.file('issuer'), { recursive: true, mode: 0o700 })
  const template = readFileSync(join(setting.inputFolder, 'agent-role.yaml'), 'utf8')
  writeFileSync(
    setting.file('issuer', 'agent-role.yaml'),
    template.replace(/^vct: .*$/m, `vct: ${setting.vct}`),
  )
  writeOnce(setting.file('issuer', 'seal.key'))
  writeOnce(setting.file('issuer', 'management.token'))
  writeOnce(setting.file('issuer', 'owner.password'))
  writeJson(setting.file('issuer', 'issuer.json'), {
    version: 1,
    credentialIssuer: setting.issuer,
    mode: 'haip',
    dataFolder: 'store',
    listen: {
      port: setting.issuerPort,
      tls: { certificate: trust.chain('issuer-tls'), key: trust.key('issuer-tls') },
    },
    management: {
      port: setting.managementPort,
      tls: { certificate: trust.chain('issuer-tls'), key: trust.key('issuer-tls') },
      tokenFile: 'management.token',
    },
    signing: { key: trust.key('credential-signer'), certificates: trust.chain('credential-signer') },
    statusSigning: { key: trust.key('status-signer'), certificates: trust.chain('status-signer') },
    sealKeys: ['seal.key'],
    walletAttesters: [
      { name: 'acme agent platform', anchors: trust.authority('wallet-providers'), clients: 'any' },
    ],
    clientAuthentication: 'attestation',
    attestationChallenges: true,
    dpopNonces: true,
    templates: ['agent-role.yaml'],
    grants: ['pre-authorized_code', 'authorization_code'],
    redirectUris: [REDIRECT_URI],
    operators: [{ ...LOGIN_OWNER, passwordFile: 'owner.password' }],
    transactionCode: { inputMode: 'numeric', length: 6 },
    statusList: { ttlSeconds: STATUS_TTL_SECONDS, lifetimeSeconds: 600 },
  })
}

/** Writes the API's configuration. */
export function configureApi(setting: Setting): void {
  const { trust } = setting
  mkdirSync(setting.file('api'), { recursive: true, mode: 0o700 })
  const configuration: ApiConfiguration = {
    origin: setting.api,
    port: setting.apiPort,
    dataFolder: setting.file('api', 'store'),
    vct: setting.vct,
    tls: { key: trust.key('api-tls'), certificate: trust.chain('api-tls') },
    signing: { key: trust.key('request-signer'), certificates: trust.chain('request-signer') },
    credentialIssuers: trust.authority('credential-issuers'),
    statusLists: trust.authority('status-lists'),
    walletAttesters: trust.authority('wallet-providers'),
    tlsAuthority: trust.authority('tls'),
    allowPrivate: ['localhost'],
  }
  writeFileSync(setting.file('api', 'api.json'), `${JSON.stringify(configuration, null, 2)}\n`)
}

/** Writes the wallet's folder: configuration, release rules, master key. */
export function configureWallet(setting: Setting): void {
  const { trust } = setting
  const clientId = verifierClientId(setting)
  mkdirSync(setting.file('wallet'), { recursive: true, mode: 0o700 })
  writeOnce(setting.file('wallet', 'master.key'))
  writeJson(setting.file('wallet', 'release.json'), releaseRules(setting, clientId))
  writeJson(setting.file('wallet', 'wallet.json'), {
    version: 1,
    profile: 'haip',
    dataFolder: 'store',
    runtimeFolder: setting.runtimeFolder,
    masterKeys: ['master.key'],
    walletProvider: {
      issuer: 'https://agents.acme.example',
      key: trust.key('wallet-provider'),
      certificates: trust.chain('wallet-provider'),
    },
    trustedCertificates: [trust.authority('tls')],
    allowPrivate: ['localhost'],
    agents: ['payroll-export', 'revenue-report', 'shadow-script'].map((id) => ({
      id,
      clientId: `acme-${id}`,
    })),
    issuers: [
      {
        credentialIssuer: setting.issuer,
        vcts: [setting.vct],
        anchors: trust.authority('credential-issuers'),
        statusAnchors: trust.authority('status-lists'),
        copies: 1,
      },
    ],
    verifiers: [{ clientId, anchors: trust.authority('request-signers'), apis: [setting.api] }],
    policy: { rules: 'release.json' },
    redirectUri: REDIRECT_URI,
  })
}

/**
 * Who may show what to whom. There is no rule for `shadow-script`: it holds a manager's credential and
 * presents it to nobody.
 */
function releaseRules(setting: Setting, clientId: string): JsonValue {
  return [
    {
      id: 'payroll-api-may-see-role-and-region',
      effect: 'allow',
      principals: ['payroll-export', 'revenue-report'].map((id) => ({ type: 'Agent', id })),
      actions: ['present'],
      resources: [{ type: 'Verifier', id: clientId }],
      when: [
        { path: ['context', 'vct'], op: 'equals', value: setting.vct },
        { path: ['context', 'claims'], op: 'subset', value: ['role', 'region'] },
      ],
    },
  ]
}

// The identifier a verifier has by its certificate (OpenID4VP 1.0, section 5.9.3, `x509_hash`).
function verifierClientId({ trust }: Setting): string {
  const [leaf = ''] = x5cFromPem(readFileSync(trust.chain('request-signer'), 'utf8'))
  return `x509_hash:${encodeBase64url(sha256(Buffer.from(leaf, 'base64')))}`
}

// Secrets survive a restart: what was sealed or handed out before stays good.
function writeOnce(file: string): void {
  try {
    writeFileSync(file, `${randomText(systemRandom)}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function writeJson(file: string, value: JsonValue): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}
