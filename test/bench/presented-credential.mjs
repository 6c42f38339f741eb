/**
 * The credential that both verifiers are shown, and what they ask for.
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { issueSdJwtVc } from '@attache/sd-jwt'
import { signerOf } from './certificates.mjs'

export const CREDENTIAL_ISSUER = 'https://issuer.example'
export const STATUS_URI = `${CREDENTIAL_ISSUER}/status/1`
export const VCT = `${CREDENTIAL_ISSUER}/types/agent-role/v1`
export const QUERY = {
  credentials: [
    {
      id: 'role_cred',
      format: 'dc+sd-jwt',
      meta: { vct_values: [VCT] },
      claims: [{ path: ['role'] }, { path: ['region'] }],
    },
  ],
}
const NAMES = ['agent', 'owner', 'purpose', 'employee_id', 'birth_date', 'salary_band']

/** A credential with eight disclosable claims, and the key it is bound to. */
export async function createPresentedCredential(issuer, { status }) {
  const privateJwk = generatePrivateJwk('ES256')
  const holder = createSoftwareSigner(privateJwk)
  const now = systemClock()
  const claims = {
    iss: CREDENTIAL_ISSUER,
    vct: VCT,
    iat: now,
    exp: now + 86_400,
    role: 'Manager',
    region: 'EU',
    ...Object.fromEntries(NAMES.map((name) => [name, `the ${name}`])),
    ...(status ? { status: { status_list: { idx: 7, uri: STATUS_URI } } } : {}),
  }
  const disclosable = ['role', 'region', ...NAMES].map((name) => [name])
  const content = { claims, disclosable, holderKey: holder.publicJwk }
  return {
    holder,
    privateJwk,
    credential: await issueSdJwtVc(content, { signer: signerOf(issuer), random: systemRandom }),
  }
}
