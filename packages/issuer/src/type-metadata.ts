/**
 * Type Metadata of a template, served at its `vct`.
 *
 * Source: SD-JWT VC -19, sections 4.2 to 4.6.
 *
 * @module
 */
import type { JsonObject, JsonValue } from '@attache/core'
import type { Display } from '@attache/openid4vci'
import type { CredentialTemplate } from './credential-template.js'

const FALLBACK_LOCALE = 'en'

/** The document. */
export function typeMetadataOf(template: CredentialTemplate): JsonObject {
  return {
    vct: template.vct,
    name: template.name,
    ...(template.description === undefined ? {} : { description: template.description }),
    display: template.display.map(typeDisplay),
    claims: template.claims.map((claim) => ({
      path: [claim.name],
      sd: claim.selectivelyDisclosable,
      ...(claim.mandatory ? { mandatory: true } : {}),
      ...(claim.display === undefined ? {} : { display: claim.display.map(claimDisplay) }),
    })),
  }
}

function typeDisplay(display: Display): JsonValue {
  return {
    locale: display.locale ?? FALLBACK_LOCALE,
    name: display.name ?? '',
    ...(display.description === undefined ? {} : { description: display.description }),
  }
}

function claimDisplay(display: Display): JsonValue {
  return { locale: display.locale ?? FALLBACK_LOCALE, label: display.name ?? '' }
}
