/**
 * What the options of an issuer must satisfy together.
 *
 * Owns the start-up errors: a configuration that would break a rule on the wire is refused while the issuer
 * is being built.
 *
 * Source: OpenID4VCI 1.0, sections 3.5, 12.2.1, 12.2.4 and 13.6.1; HAIP 1.0, section 4.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { Signer } from '@attache/keys'
import { isCredentialIssuerIdentifier } from '@attache/openid4vci'
import { checkKeyPublication } from './issuer-keys.js'
import type { IssuerDeps, IssuerOptions } from './issuer-options.js'

/**
 * Checks the options.
 *
 * @throws {TypeError} `issuer_identifier`, `issuer_templates`, `issuer_grants`, `issuer_protection`,
 *   `issuer_key_attestations`, `issuer_keys`,
 *   `issuer_haip`, `issuer_type_metadata`: which rule is broken.
 */
export function checkIssuerOptions(
  options: IssuerOptions,
  deps: Pick<IssuerDeps, 'signer' | 'signIn' | 'log'>,
): void {
  if (!isCredentialIssuerIdentifier(options.credentialIssuer)) {
    throw configurationError(
      'issuer_identifier',
      'credentialIssuer must be an https URL without query and fragment.',
    )
  }
  checkTemplates(options)
  if (options.grants.length === 0) throw configurationError('issuer_grants', 'Name at least one grant.')
  checkProtection(options)
  checkKeyAttestations(options)
  if (options.keyPublication !== undefined) {
    const lifetimes = options.templates.map((template) => template.lifetimeSeconds)
    const facts = { active: deps.signer.publicJwk, credentialSeconds: Math.max(...lifetimes) }
    checkKeyPublication(options.keyPublication, facts)
  }
  if ((options.refreshRotationGraceSeconds ?? 30) < 30) {
    throw configurationError('issuer_grants', 'A replaced refresh token must work for 30 seconds at least.')
  }
  if (options.grants.includes('authorization_code') && deps.signIn === undefined) {
    throw configurationError('issuer_grants', 'The authorization code grant needs a way to sign in.')
  }
  if (options.mode === 'haip') checkHaip(options, deps.signer)
  else if (options.clientAuthentication.method === 'none') {
    deps.log.warn('issuer.clients_unknown', { advice: 'Set client authentication before real data flows.' })
  }
}

function checkTemplates({ templates, credentialIssuer }: IssuerOptions): void {
  const ids = templates.map((template) => template.id)
  if (ids.length === 0 || new Set(ids).size !== ids.length) {
    throw configurationError('issuer_templates', 'Give at least one template, and each an id of its own.')
  }
  const vctOfScope = new Map<string, string>()
  for (const { scope, vct } of templates) {
    if ((vctOfScope.get(scope) ?? vct) !== vct) {
      throw configurationError('issuer_templates', 'One scope must mean one credential type.')
    }
    vctOfScope.set(scope, vct)
  }
  // An https vct promises a document. We serve those under our own identifier; others are somebody else's.
  const base = `${credentialIssuer.replace(/\/$/, '')}/`
  const { host } = new URL(credentialIssuer)
  const foreign = templates.find(({ vct }) => isHttpsOn(vct, host) && !vct.startsWith(base))
  if (foreign !== undefined) {
    throw configurationError(
      'issuer_type_metadata',
      `No document is served at the vct of ${foreign.id}. Use a URN.`,
    )
  }
  const unusable = templates.find(({ vct }) => !vct.startsWith('urn:') && !vct.startsWith('https://'))
  if (unusable !== undefined) {
    throw configurationError('issuer_templates', `The vct of ${unusable.id} must be an https URL or a URN.`)
  }
}

function isHttpsOn(vct: string, host: string): boolean {
  return vct.startsWith('https://') && URL.canParse(vct) && new URL(vct).host === host
}

/** What is announced is enforced: a demand nobody could meet, or nobody would check, is a mistake. */
function checkKeyAttestations({ templates, keyAttesters }: IssuerOptions): void {
  const demanding = templates.find(
    ({ keyAttestations, proofTypes }) => keyAttestations !== undefined || proofTypes.includes('attestation'),
  )
  if (demanding !== undefined && keyAttesters === undefined) {
    throw configurationError(
      'issuer_key_attestations',
      `The template ${demanding.id} wants key attestations. Name the trusted providers in keyAttesters.`,
    )
  }
}

/** A stolen pre-authorized code must not be enough (OpenID4VCI 3.5 and 13.6.1). */
function checkProtection(options: IssuerOptions): void {
  const known = options.clientAuthentication.method === 'attestation'
  if (options.grants.includes('pre-authorized_code') && options.transactionCode === null && !known) {
    throw configurationError(
      'issuer_protection',
      'Pre-authorized codes need a transaction code or client authentication.',
    )
  }
}

/** Settings that a trial needs and the high-assurance profile does not allow. */
const BASE_ONLY = ['refreshRotationGraceSeconds', 'automaticApproval'] as const

function checkHaip(options: IssuerOptions, signer: Signer): void {
  const trial = BASE_ONLY.find((name) => options[name] !== undefined)
  if (trial !== undefined || options.transactionCode?.fixed !== undefined) {
    throw configurationError(
      'issuer_haip',
      `The haip mode does not allow ${trial ?? 'a fixed transaction code'}.`,
    )
  }
  const { clientAuthentication, algorithms } = options
  if (clientAuthentication.method !== 'attestation') {
    throw configurationError('issuer_haip', 'The haip mode needs client authentication by attestation.')
  }
  if (signer.x5c === undefined) {
    throw configurationError('issuer_haip', 'The haip mode needs a signing certificate chain (x5c).')
  }
  if (algorithms !== undefined && !algorithms.includes('ES256')) {
    throw configurationError('issuer_haip', 'The haip mode must accept ES256.')
  }
}
