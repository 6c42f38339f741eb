import {
  type CertificateAuthority,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
  signJws,
  x5cFromPem,
} from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createSeededRandom } from '../support/random.js'
import {
  bodyOf,
  CLIENT_ID,
  createIssuerBench,
  createWallet,
  type IssuerBench,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  requestCredential,
  requestToken,
  TEMPLATE,
} from './issuer-bench.js'

const DEMANDING = `${TEMPLATE}
proof_types: [attestation]
key_attestations:
  key_storage: [iso_18045_high]
`
const random = { random: createSeededRandom('trust lists') }
const VALID = { notBefore: NOW - 86_400, notAfter: NOW + 86_400 }

function authority(commonName: string, issuer?: CertificateAuthority): Promise<CertificateAuthority> {
  const options = { commonName, privateJwk: generatePrivateJwk('ES256'), ...VALID }
  return createCertificateAuthority(issuer === undefined ? options : { ...options, issuer }, random)
}

async function below(issuer: CertificateAuthority, validity = VALID): Promise<Signer> {
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const { x5c } = await issueCertificate({ commonName: 'Leaf', publicJwk, issuer, ...validity }, random)
  // Put beside the signer: its maker refuses a chain that could never hold.
  return { ...createSoftwareSigner(privateJwk), x5c }
}

/** Signers of every kind below one root of their own. */
async function signersBelow(name: string) {
  const root = await authority(`${name} root`)
  const intermediate = await authority(`${name} intermediate`, root)
  const leafKey = generatePrivateJwk('ES256')
  const leafOptions = { commonName: 'Not an authority', publicJwk: createSoftwareSigner(leafKey).publicJwk }
  const { x5c: leaf } = await issueCertificate({ ...leafOptions, issuer: root, ...VALID }, random)
  const noAuthority = {
    ...intermediate,
    commonName: 'Not an authority',
    privateJwk: leafKey,
    intermediates: leaf,
  }
  return {
    anchors: createAnchors(name, [root.pem]),
    good: await below(intermediate),
    bad: new Map<string, Signer>([
      ['is expired', await below(intermediate, { ...VALID, notAfter: NOW - 3600 })],
      ['is not valid yet', await below(intermediate, { ...VALID, notBefore: NOW + 3600 })],
      ['has an intermediate that is no authority', await below(noAuthority)],
      ['is signed by another key', await below({ ...intermediate, privateJwk: generatePrivateJwk('ES256') })],
      ['signed itself', { ...createSoftwareSigner(root.privateJwk), x5c: x5cFromPem(root.pem) }],
      ['lacks its intermediate', await below({ ...intermediate, intermediates: [] })],
    ]),
  }
}

type Signers = Awaited<ReturnType<typeof signersBelow>>

let wallets: Signers
let keys: Signers
beforeAll(async () => {
  ;[wallets, keys] = await Promise.all([signersBelow('wallet providers'), signersBelow('key attesters')])
})

function bench(): Promise<IssuerBench> {
  return createIssuerBench({
    template: DEMANDING,
    keyAttesters: keys.anchors,
    clientAuthentication: {
      method: 'attestation',
      attesters: [{ name: 'wallet providers', anchors: wallets.anchors, clients: 'any' }],
      challenges: false,
    },
  })
}

async function walletOf(issuer: IssuerBench, attester: Signer) {
  const wallet = await createWallet(issuer)
  const statement = { clientId: CLIENT_ID, instanceKey: wallet.instance.publicJwk, expiresAt: NOW + 86_400 }
  return { ...wallet, attestation: await createClientAttestation(statement, attester, NOW) }
}

async function asClient(attester: Signer): Promise<readonly unknown[]> {
  const issuer = await bench()
  const { code, txCode } = await offerCode(issuer)
  const parameters = { 'pre-authorized_code': code, tx_code: txCode }
  const response = await requestToken(issuer, await walletOf(issuer, attester), parameters)
  return [response.status, (await bodyOf(response))['error']]
}

async function asKeyAttester(attester: Signer): Promise<readonly unknown[]> {
  const issuer = await bench()
  const wallet = await walletOf(issuer, wallets.good)
  const { token } = await obtainToken(issuer, wallet)
  // Signed as it stands: the maker of key attestations refuses a chain that could never hold.
  const attestation = await signJws(
    {
      header: { typ: 'key-attestation+jwt', x5c: attester.x5c ?? [] },
      payload: {
        iat: NOW,
        exp: NOW + 60,
        attested_keys: [newSigner().publicJwk],
        nonce: await obtainNonce(issuer),
        key_storage: ['iso_18045_high'],
      },
    },
    attester,
  )
  const response = await requestCredential(issuer, wallet, token, { proofs: { attestation: [attestation] } })
  return [response.status, (await bodyOf(response))['error']]
}

const KINDS = [
  'is expired',
  'is not valid yet',
  'has an intermediate that is no authority',
  'is signed by another key',
  'signed itself',
  'lacks its intermediate',
]

describe('lists of anchors of an issuer', () => {
  test('a leaf with its intermediate is accepted without the anchor, each in its own list alone [IOP-C-04]', async () => {
    expect(wallets.good.x5c).toHaveLength(2)
    expect(await asClient(wallets.good)).toEqual([200, undefined])
    expect(await asKeyAttester(keys.good)).toEqual([200, undefined])
    expect(await asClient(keys.good)).toEqual([401, 'invalid_client'])
    expect(await asKeyAttester(wallets.good)).toEqual([400, 'invalid_proof'])
  })

  test.each(KINDS)('a chain whose leaf %s is refused in both [IOP-C-04]', async (kind) => {
    const [client, attester] = [wallets.bad.get(kind), keys.bad.get(kind)]
    if (client === undefined || attester === undefined) throw new Error(`No signer ${kind}.`)
    expect(await asClient(client)).toEqual([401, 'invalid_client'])
    expect(await asKeyAttester(attester)).toEqual([400, 'invalid_proof'])
  })
})
