import { afterAll, describe, expect, test } from 'vitest'
import { serveForeignVerifier } from './openid4vc-verifier.js'
import { serveIssuer } from './our-issuer.js'
import { roleQuery } from './our-verifier.js'
import { AGENT, createOurWallet, type KnownVerifier } from './our-wallet.js'
import { closeAll, closeAtEnd } from './world.js'

afterAll(closeAll)

const issuer = closeAtEnd(await serveIssuer())
const theirs = closeAtEnd(await serveForeignVerifier(issuer.signing))

/** Our wallet with one credential, knowing some verifiers. */
async function holdingWallet(verifiers: readonly KnownVerifier[]) {
  const { credentialIssuer, vct, signing, provider } = issuer
  const issuers = [{ credentialIssuer, vcts: [vct], anchors: signing.anchors }]
  const ours = createOurWallet({ provider, issuers, verifiers })
  const { uri, txCode } = await issuer.offer()
  const reply = await ours.wallet.receive(AGENT, uri, txCode)
  if (reply.outcome !== 'stored') throw new Error(ours.lines.join('\n'))
  return ours
}

const known = (prefix: 'x509_san_dns' | 'x509_hash'): KnownVerifier => ({
  clientId: theirs.clientIdOf(prefix),
  origin: theirs.origin,
  anchors: theirs.signing.anchors,
})

describe('our wallet at a verifier on @openid4vc/openid4vp', () => {
  test.each([
    ['x509_san_dns', 'direct_post.jwt'],
    ['x509_hash', 'direct_post.jwt'],
    ['x509_san_dns', 'direct_post'],
    ['x509_hash', 'direct_post'],
  ] as const)('%s, %s', async (prefix, mode) => {
    const { wallet, lines } = await holdingWallet([known(prefix)])
    const before = theirs.accepted.length

    const reply = await wallet.present(
      AGENT,
      await theirs.start({ prefix, mode, query: roleQuery(issuer.vct) }),
    )

    expect(reply, lines.join('\n')).toMatchObject({ outcome: 'delivered' })
    const [claims, ...others] = theirs.accepted.slice(before)
    expect(others).toEqual([])
    expect(claims).toMatchObject({ vct: issuer.vct, role: 'Manager', region: 'EU' })
    expect(claims).not.toHaveProperty('birth_date')
  })

  test('a verifier that nobody configured gets nothing', async () => {
    const { wallet } = await holdingWallet([known('x509_hash')])
    const before = theirs.accepted.length
    const query = roleQuery(issuer.vct)

    const reply = await wallet.present(
      AGENT,
      await theirs.start({ prefix: 'x509_san_dns', mode: 'direct_post.jwt', query }),
    )

    expect(reply).toMatchObject({ outcome: 'refused' })
    expect(theirs.accepted).toHaveLength(before)
  })
})
