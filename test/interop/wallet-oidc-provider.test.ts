import { afterAll, describe, expect, test } from 'vitest'
import { serveOidcProvider } from './oidc-provider-issuer.js'
import { AGENT, createOurWallet } from './our-wallet.js'
import { certify, closeAll, closeAtEnd } from './world.js'

afterAll(closeAll)

const provider = await certify('Wallet Provider')
const theirs = closeAtEnd(await serveOidcProvider(provider))

function ourWallet() {
  const { credentialIssuer, vct, signing } = theirs
  return createOurWallet({
    provider,
    issuers: [
      { credentialIssuer, vcts: [vct], anchors: signing.anchors, claimedIssuer: 'refuse', copies: 3 },
    ],
  })
}

describe('our wallet at oidc-provider with its openid4vci feature', () => {
  test('offer, tx_code, attestation with challenge, DPoP with nonces, a batch of copies', async () => {
    const { wallet, lines } = ourWallet()

    const reply = await wallet.receive(AGENT, await theirs.offer('493536'), '493536')

    expect(reply, lines.join('\n')).toMatchObject({ outcome: 'stored', vct: theirs.vct })
    const { credentials } = await wallet.overview(AGENT)
    expect(credentials).toMatchObject([{ vct: theirs.vct }])
  })

  test('a wrong tx_code brings nothing', async () => {
    const { wallet } = ourWallet()

    const reply = await wallet.receive(AGENT, await theirs.offer('493536'), '000000')

    expect(reply).toMatchObject({ outcome: 'tx_code_required', code: 'tx_code_wrong' })
    expect((await wallet.overview(AGENT)).credentials).toEqual([])
  })
})
