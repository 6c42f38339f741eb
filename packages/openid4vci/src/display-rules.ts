/**
 * What display data of our own must satisfy, beyond what a reader insists on.
 *
 * Owns the start-up checks on one `display` array of metadata. A wallet drops what it cannot show; strict
 * peers read everything, so the maker is held to all of it.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix B.2; BCP 47; CSS Color Module Level 3, section 4.
 *
 * @module
 */
import { type ConfigurationError, configurationError } from '@attache/core'
import type { Display } from './display.js'

/**
 * Checks one display array.
 *
 * @param rules.name Whether each entry must have a name: that of a credential must.
 * @throws {TypeError} `metadata_display`: empty, two entries for one locale, or a malformed entry.
 */
export function checkDisplay(
  display: readonly Display[] | undefined,
  rules: { readonly name: 'required' | 'optional' },
): void {
  if (display === undefined) return
  if (display.length === 0) throw refusal('display must not be empty; leave it out instead.')
  const locales = display.map((entry) => entry.locale)
  if (new Set(locales).size !== locales.length) throw refusal('display must have one entry per locale.')
  for (const entry of display) {
    if (rules.name === 'required' && !entry.name) {
      throw refusal('The display of a credential must have a name.')
    }
    checkEntry(entry)
  }
}

function checkEntry(entry: Display): void {
  if (entry.locale !== undefined && !isCanonicalLocale(entry.locale)) {
    throw refusal('A locale must be a BCP 47 tag in its canonical case.')
  }
  for (const image of [entry.logo, entry.backgroundImage]) {
    if (image !== undefined && !URL.canParse(image.uri)) throw refusal('An image must have a URI.')
  }
  for (const colour of [entry.backgroundColor, entry.textColor]) {
    if (colour !== undefined && !isCssColour(colour)) {
      throw refusal('A colour must be a CSS Color Module Level 3 value.')
    }
  }
}

function isCanonicalLocale(locale: string): boolean {
  try {
    return Intl.getCanonicalLocales(locale)[0] === locale
  } catch {
    return false
  }
}

/** Hexadecimal, functional or named. Names are checked by shape: there are 147 and a wrong one harms nobody. */
function isCssColour(colour: string): boolean {
  return /^(#[0-9a-f]{3}|#[0-9a-f]{6}|(rgb|hsl)a?\([0-9.,%\s]+\)|[a-z]+)$/i.test(colour)
}

function refusal(problem: string): ConfigurationError {
  return configurationError('metadata_display', problem)
}
