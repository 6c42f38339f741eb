import { SILENT_LOG } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type Signer } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { parseCredentialTemplate } from './credential-template.js'
import type { IssuerOptions } from './issuer-options.js'
import { checkIssuerOptions } from './issuer-rules.js'
import type { SignIn } from './sign-in.js'

const credentialIssuer = 'https://hr.example.com'
const template = (more = '', id = 'agent-role') =>
  parseCredentialTemplate(
    `id: ${id}
version: 1
vct: /types/${id}/v1
name: Agent role
lifetime_days: 7
claims:
  - { name: role, from: owner.role }
${more}`,
    { credentialIssuer },
  )

const signer: Signer = { ...createSoftwareSigner(generatePrivateJwk('ES256')), x5c: ['a leaf'] }
const { x5c: _, ...bareSigner } = signer
const signIn: SignIn = { signIn: async () => undefined }
const attestation = { method: 'attestation', attesters: [], challenges: false } as const
const none = { method: 'none', anonymousAccess: true } as const
const good: IssuerOptions = {
  credentialIssuer,
  mode: 'haip',
  templates: [template()],
  grants: ['pre-authorized_code', 'authorization_code'],
  clientAuthentication: attestation,
  transactionCode: { inputMode: 'numeric', length: 6 },
}
const deps = { signer, signIn, log: SILENT_LOG }

type Change = Partial<IssuerOptions>
const trial: Change = { mode: 'base', clientAuthentication: none }

describe('checkIssuerOptions', () => {
  test.each<[string, Change]>([
    ['high assurance', {}],
    ['high assurance without a transaction code', { transactionCode: null }],
    [
      'base mode with everything that trials need',
      {
        ...trial,
        transactionCode: { inputMode: 'numeric', length: 6, fixed: '123456' },
        automaticApproval: { name: 'trial', agents: ['bot'] },
        refreshRotationGraceSeconds: 30,
        algorithms: ['ES384'],
      },
    ],
  ])('accepts %s', (_name, change) => {
    expect(() => checkIssuerOptions({ ...good, ...change }, deps)).not.toThrow()
  })

  test.each<[string, Change, string]>([
    ['http', { credentialIssuer: 'http://hr.example.com' }, 'issuer_identifier'],
    ['no template', { templates: [] }, 'issuer_templates'],
    ['one id twice', { templates: [template(), template()] }, 'issuer_templates'],
    [
      'one scope for two types',
      { templates: [template('scope: urn:s'), template('scope: urn:s', 'other')] },
      'issuer_templates',
    ],
    [
      'a vct of its host that nobody serves',
      {
        templates: [
          { ...template(), vct: 'https://hr.example.com.evil/x' },
          { ...template('', 'b'), vct: 'ftp://x' },
        ],
      },
      'issuer_templates',
    ],
    [
      'a vct outside of its own identifier',
      { credentialIssuer: 'https://hr.example.com/a', templates: [template()] },
      'issuer_type_metadata',
    ],
    ['no grant', { grants: [] }, 'issuer_grants'],
    ['a short grace', { ...trial, refreshRotationGraceSeconds: 29 }, 'issuer_grants'],
    ['a pre-authorized code that protects nothing', { ...trial, transactionCode: null }, 'issuer_protection'],
    [
      'attestations that nobody vouches for',
      { templates: [template('key_attestations: {}')] },
      'issuer_key_attestations',
    ],
    [
      'attestation proofs that nobody vouches for',
      { templates: [template('proof_types: [attestation]')] },
      'issuer_key_attestations',
    ],
    ['high assurance for unknown clients', { clientAuthentication: none }, 'issuer_haip'],
    [
      'high assurance with automatic approval',
      { automaticApproval: { name: 'x', agents: [] } },
      'issuer_haip',
    ],
    ['high assurance with rotation', { refreshRotationGraceSeconds: 30 }, 'issuer_haip'],
    [
      'high assurance with a fixed code',
      { transactionCode: { inputMode: 'numeric', length: 6, fixed: '123456' } },
      'issuer_haip',
    ],
    ['high assurance without ES256', { algorithms: ['ES384'] }, 'issuer_haip'],
  ])('refuses %s', (_name, change, code) => {
    expect(() => checkIssuerOptions({ ...good, ...change }, deps)).toThrow(expect.objectContaining({ code }))
  })

  test('refuses high assurance without a chain, and a code flow without a sign-in', () => {
    expect(() => checkIssuerOptions(good, { ...deps, signer: bareSigner })).toThrow(
      expect.objectContaining({ code: 'issuer_haip' }),
    )
    expect(() => checkIssuerOptions({ ...good, mode: 'base' }, { ...deps, signer: bareSigner })).not.toThrow()
    expect(() => checkIssuerOptions(good, { ...deps, signIn: undefined })).toThrow(
      expect.objectContaining({ code: 'issuer_grants' }),
    )
  })
})
