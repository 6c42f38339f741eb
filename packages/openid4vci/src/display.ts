/**
 * Display data of an issuer, a credential or a claim, per language.
 *
 * Owns both halves. A wallet drops what it cannot read, because display decides nothing; the maker's strict
 * rules are in `issuer-metadata-rules.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4 and Appendix B.2.
 *
 * @module
 */
import { isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { wireObject } from './make-message.js'

/**
 * How something is shown in one language.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4.
 */
export interface Display {
  readonly name?: string | undefined
  /** BCP 47 tag. */
  readonly locale?: string | undefined
  readonly description?: string | undefined
  readonly logo?: { readonly uri: string; readonly altText?: string | undefined } | undefined
  readonly backgroundImage?: { readonly uri: string } | undefined
  /** CSS Color Module Level 3. */
  readonly backgroundColor?: string | undefined
  /** CSS Color Module Level 3. */
  readonly textColor?: string | undefined
}

/** The wire form of a display array. */
export function wireDisplay(display: readonly Display[]): readonly JsonObject[] {
  return display.map((entry) =>
    wireObject({
      name: entry.name,
      locale: entry.locale,
      description: entry.description,
      logo: entry.logo && wireObject({ uri: entry.logo.uri, alt_text: entry.logo.altText }),
      background_image: entry.backgroundImage && { uri: entry.backgroundImage.uri },
      background_color: entry.backgroundColor,
      text_color: entry.textColor,
    }),
  )
}

/** Reads a display array; what is malformed is left out. Undefined when nothing is left. */
export function parseDisplay(value: JsonValue | undefined): readonly Display[] | undefined {
  if (!Array.isArray(value)) return undefined
  const display = value.flatMap((entry: JsonValue) => (isJsonObject(entry) ? [parseEntry(entry)] : []))
  return display.length === 0 ? undefined : display
}

function parseEntry(entry: JsonObject): Display {
  const logo = imageOf(entry, 'logo')
  const altText = logo && textOf(logo.object, 'alt_text')
  const background = imageOf(entry, 'background_image')
  return {
    name: textOf(entry, 'name'),
    locale: textOf(entry, 'locale'),
    description: textOf(entry, 'description'),
    logo: logo && { uri: logo.uri, altText },
    backgroundImage: background && { uri: background.uri },
    backgroundColor: textOf(entry, 'background_color'),
    textColor: textOf(entry, 'text_color'),
  }
}

function imageOf(entry: JsonObject, name: string): { object: JsonObject; uri: string } | undefined {
  const image = member(entry, name)
  const uri = isJsonObject(image) ? textOf(image, 'uri') : undefined
  return isJsonObject(image) && uri !== undefined ? { object: image, uri } : undefined
}

function textOf(object: JsonObject, name: string): string | undefined {
  const value = member(object, name)
  return typeof value === 'string' ? value : undefined
}
