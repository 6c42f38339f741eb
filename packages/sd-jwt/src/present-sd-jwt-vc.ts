/**
 * Presenting a held credential: choose Disclosures by claims path, then bind them.
 *
 * Disclosures are sent as they came with the credential; nothing is re-encoded. Signing comes last, after
 * the choice is final. What may be released, and to whom, was decided before.
 *
 * Source: RFC 9901, sections 4.3 and 7.2.
 *
 * @module
 */
import { type ClaimsPath, configurationError } from '@attache/core'
import { jwkThumbprint, type Signer } from '@attache/keys'
import { type HeldSdJwtVc, parseHeldSdJwtVc, selectDisclosures } from './held-sd-jwt-vc.js'
import { createKeyBindingJwt, type KeyBindingStatement } from './key-binding.js'

/** What to present, and to whom. */
export interface SdJwtVcPresentation {
  /** The claims to show; none shows only what is always visible. */
  readonly disclose: readonly ClaimsPath[]
  /** The statement of the KB-JWT and the key that signs it, or `none` for a credential shown without binding. */
  readonly keyBinding: (KeyBindingStatement & { readonly signer: Signer }) | 'none'
}

/**
 * Presents a held credential.
 *
 * @param credential The compact text as issued, or the same already read.
 * @returns An SD-JWT+KB; an SD-JWT when `keyBinding` is `none`.
 * @throws {TypeError} `presented_path_absent`; `key_binding_foreign_key`: the credential is not bound to the
 *   signer's key; `key_binding_statement`.
 * @throws {VerificationError} A code of `SD_JWT_ERRORS`: the text is no credential that may be held.
 *
 * Source: RFC 9901, sections 4, 4.3 and 7.2.
 */
export async function presentSdJwtVc(
  credential: string | HeldSdJwtVc,
  presentation: SdJwtVcPresentation,
): Promise<string> {
  const held = typeof credential === 'string' ? parseHeldSdJwtVc(credential) : credential
  const disclosures = selectDisclosures(held, presentation.disclose)
  const presented = `${[held.compact.issuerJwt, ...disclosures].join('~')}~`
  if (presentation.keyBinding === 'none') return presented

  const { signer, ...statement } = presentation.keyBinding
  if (held.holderKey === undefined || jwkThumbprint(held.holderKey) !== signer.kid) {
    throw configurationError(
      'key_binding_foreign_key',
      'The credential is bound to another key than the signer.',
    )
  }
  return presented + (await createKeyBindingJwt(presented, { ...statement, sdAlg: held.sdAlg }, signer))
}
