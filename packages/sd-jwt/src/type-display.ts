/**
 * How a type and its claims are shown: the display part of a type metadata document.
 *
 * Everything in it is text that somebody else wrote; `display-text.ts` makes it fit to be shown.
 *
 * Source: SD-JWT VC (draft 19), sections 5.5 and 5.6.2.
 *
 * @module
 */
import { type JsonObject, member } from '@attache/core'
import { asObject, optionalList, optionalText, requiredText } from './document-fields.js'

/** An image or template elsewhere, with what its octets must hash to. */
export interface DisplayResource {
  /** https or data URL; checked when it is fetched. */
  readonly uri: string
  readonly integrity?: string
  readonly altText?: string
}

/** How a type is shown in one language. */
export interface TypeDisplay {
  readonly locale: string
  readonly name: string
  readonly description?: string
  readonly logo?: DisplayResource
  readonly backgroundImage?: DisplayResource
  readonly backgroundColor?: string
  readonly textColor?: string
  readonly svgTemplates?: readonly DisplayResource[]
}

/** How a claim is shown in one language. */
export interface ClaimDisplay {
  readonly locale: string
  readonly label: string
  readonly description?: string
}

/**
 * Reads one entry of a type's `display`.
 *
 * @throws {VerificationError} `type_metadata_malformed`: `locale` or `name` is missing.
 *
 * Source: SD-JWT VC, section 5.5.
 */
export function parseTypeDisplay(entry: JsonObject): TypeDisplay {
  const rendering = optionalObject(entry, 'rendering')
  const simple = optionalObject(rendering, 'simple')
  const svgTemplates = optionalList(rendering, 'svg_templates', parseResource)
  return {
    locale: requiredText(entry, 'locale'),
    name: requiredText(entry, 'name'),
    ...optionalText(entry, 'description', 'description'),
    ...optionalResource(simple, 'logo', 'logo'),
    ...optionalResource(simple, 'background_image', 'backgroundImage'),
    ...optionalText(simple, 'background_color', 'backgroundColor'),
    ...optionalText(simple, 'text_color', 'textColor'),
    ...(svgTemplates === undefined ? {} : { svgTemplates }),
  }
}

/**
 * Reads one entry of a claim's `display`.
 *
 * @throws {VerificationError} `type_metadata_malformed`: `locale` or `label` is missing.
 *
 * Source: SD-JWT VC, section 5.6.2.
 */
export function parseClaimDisplay(entry: JsonObject): ClaimDisplay {
  return {
    locale: requiredText(entry, 'locale'),
    label: requiredText(entry, 'label'),
    ...optionalText(entry, 'description', 'description'),
  }
}

/**
 * The entry that fits a reader best: language tags are shortened from the right until one matches.
 *
 * @param languages Language tags, most wanted first.
 * @returns The first entry when none fits.
 *
 * Source: RFC 4647, section 3.4; SD-JWT VC, section 5.5.
 */
export function chooseDisplay<Entry extends { readonly locale: string }>(
  entries: readonly Entry[],
  languages: readonly string[],
): Entry | undefined {
  for (const language of languages) {
    const parts = language.toLowerCase().split('-')
    for (let count = parts.length; count > 0; count -= 1) {
      const wanted = parts.slice(0, count).join('-')
      const exact = entries.find(({ locale }) => locale.toLowerCase() === wanted)
      const wider = entries.find(({ locale }) => locale.toLowerCase().startsWith(`${wanted}-`))
      if (exact !== undefined || wider !== undefined) return exact ?? wider
    }
  }
  return entries[0]
}

function optionalObject(object: JsonObject, name: string): JsonObject {
  const value = member(object, name)
  return value === undefined ? {} : asObject(value)
}

function optionalResource<Name extends string>(object: JsonObject, name: string, as: Name) {
  const value = member(object, name)
  const found: { [name in Name]?: DisplayResource } = {}
  return value === undefined ? found : Object.assign(found, { [as]: parseResource(asObject(value)) })
}

function parseResource(resource: JsonObject): DisplayResource {
  return {
    uri: requiredText(resource, 'uri'),
    ...optionalText(resource, 'uri#integrity', 'integrity'),
    ...optionalText(resource, 'alt_text', 'altText'),
  }
}
