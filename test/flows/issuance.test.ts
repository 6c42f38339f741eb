import { parseJson } from '@attache/core'
import { jwkThumbprint } from '@attache/keys'
import { parseAuthorizationServerMetadata } from '@attache/oauth'
import {
  issuerMetadataUrl,
  parseCredentialOffer,
  parseCredentialOfferUri,
  parseCredentialResponse,
  parseIssuerMetadata,
} from '@attache/openid4vci'
import { verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import {
  bodyOf,
  createIssuerBench,
  createWallet,
  ISSUER,
  keyProof,
  newSigner,
  obtainToken,
  requestCredential,
  requestToken,
} from './issuer-bench.js'

describe('issuing a role credential, from offer to credential', () => {
  test('the main job: offer, metadata, token, nonce, credential', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const created = await bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'reference' },
      bench.time.clock(),
    )
    const carried = parseCredentialOfferUri(created.uri)
    if (carried.by !== 'reference') throw new Error('The offer was asked for by reference.')
    const offer = parseCredentialOffer(await bodyOf(await bench.send(carried.credentialOfferUri)))
    const metadata = parseIssuerMetadata(
      await bodyOf(await bench.send(issuerMetadataUrl(offer.credentialIssuer))),
      offer,
    )
    parseAuthorizationServerMetadata(
      await bodyOf(await bench.send('https://issuer.example/.well-known/oauth-authorization-server/acme')),
      { issuer: offer.credentialIssuer },
    )
    const granted = await requestToken(bench, wallet, {
      'pre-authorized_code': offer.grants?.preAuthorizedCode?.preAuthorizedCode ?? '',
      tx_code: created.txCode ?? '',
    })
    expect(granted.status).toBe(200)
    const token = await bodyOf(granted)
    expect(token['token_type']).toBe('DPoP')

    const holder = newSigner()
    const answer = await requestCredential(bench, wallet, String(token['access_token']), {
      proofs: { jwt: [await keyProof(bench, holder)] },
    })
    expect(answer.status).toBe(200)
    const response = parseCredentialResponse(200, await bodyOf(answer))
    if (response.state !== 'issued') throw new Error('The credential is ready at once.')
    expect(response.credentials).toHaveLength(1)
    const [jwt = ''] = (response.credentials[0] ?? '').split('~')
    const payload = parseJson(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    expect(payload).toMatchObject({
      ok: true,
      value: { vct: `${ISSUER}/types/agent-role/v1`, iss: ISSUER, cnf: { jwk: holder.publicJwk } },
    })
    expect(metadata.credentialConfigurations.get('agent-role')?.vct).toBe(`${ISSUER}/types/agent-role/v1`)
    expect(jwkThumbprint(holder.publicJwk)).toHaveLength(43)
    expect(verifySdJwtVc).toBeTypeOf('function')
  })

  test('a token for one agent gives a credential about that agent only', async () => {
    const bench = await createIssuerBench()
    const { token } = await obtainToken(bench, await createWallet(bench))
    expect(token).toHaveLength(43)
  })
})
