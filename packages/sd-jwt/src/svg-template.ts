/**
 * SVG templates of a type: filled with claims, or refused.
 *
 * Works by allow-list: elements, attributes and references that are not on it refuse the whole template. The
 * outcome still belongs into an `img` or a sandbox without scripts, never into a page.
 *
 * Source: SD-JWT VC (draft 19), section 5.5.1.2.2.
 *
 * @module
 */
import type { JsonValue } from '@attache/core'
import { displayText, escapeXml } from './display-text.js'
import { refusal } from './errors.js'

const ELEMENTS: ReadonlySet<string> = new Set(
  (
    'svg g defs symbol title desc rect circle ellipse line polyline polygon path text tspan ' +
    'linearGradient radialGradient stop clipPath mask pattern use image'
  ).split(' '),
)
const REFERENCES: ReadonlySet<string> = new Set(['href', 'xlink:href', 'src'])
const INSIDE = /^#[A-Za-z_][\w.-]*$/
const EMBEDDED_IMAGE = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/

// A tag, or text up to the next tag. Comments, CDATA, processing instructions and DOCTYPE match neither.
const TOKEN = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+/gy
const ATTRIBUTE = /([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g
const PLACEHOLDER = /\{\{([^{}]*)\}\}/g

/**
 * Fills the placeholders of a template.
 *
 * @param template SVG text, its octets already checked for integrity.
 * @param values Claim values by `svg_id`: every id of the type, `undefined` for a claim that is absent.
 * @returns SVG with each value as escaped text.
 * @throws {VerificationError} `svg_refused`: something that could run, load or escape, a placeholder outside
 *   text content, or an unknown `svg_id`.
 *
 * Source: SD-JWT VC, section 5.5.1.2.2.
 */
export function fillSvgTemplate(
  template: string,
  values: ReadonlyMap<string, JsonValue | undefined>,
): string {
  if (template.length > 1_048_576) throw refusal('svg_refused')
  const open: string[] = []
  let read = 0
  let filled = ''
  for (const token of template.matchAll(TOKEN)) {
    const [text, closing, name] = token
    read += text.length
    if (name === undefined) filled += fillText(text, values)
    else {
      checkTag({ name, attributes: token[3] ?? '' })
      nest(open, { name, closing: closing === '/', empty: token[4] === '/' })
      filled += text
    }
  }
  // The expression is sticky: it stops at the first thing that is neither an allowed tag nor text.
  if (read !== template.length || open.length > 0) throw refusal('svg_refused')
  return filled
}

function nest(open: string[], tag: { name: string; closing: boolean; empty: boolean }): void {
  if (tag.closing) {
    if (open.pop() !== tag.name || tag.empty) throw refusal('svg_refused')
  } else if (!tag.empty) {
    open.push(tag.name)
  }
  if (open.length > 64) throw refusal('svg_refused')
}

function fillText(text: string, values: ReadonlyMap<string, JsonValue | undefined>): string {
  const filled = text.replace(PLACEHOLDER, (_, id: string) => {
    if (!values.has(id)) throw refusal('svg_refused')
    return escapeXml(displayText(values.get(id)))
  })
  return filled
}

function checkTag(tag: { readonly name: string; readonly attributes: string }): void {
  if (!ELEMENTS.has(tag.name) || tag.attributes.includes('{{')) throw refusal('svg_refused')
  for (const [, name = '', double, single] of tag.attributes.matchAll(ATTRIBUTE)) {
    checkAttribute(name, double ?? single ?? '')
  }
}

function checkAttribute(name: string, value: string): void {
  const lower = name.toLowerCase()
  // A character reference could spell anything the tests below look for.
  const allowed =
    !lower.startsWith('on') &&
    lower !== 'style' &&
    !lower.endsWith(':base') &&
    !value.includes('&') &&
    !leadsOutside(lower, value) &&
    (!REFERENCES.has(lower) || INSIDE.test(value) || EMBEDDED_IMAGE.test(value)) &&
    urlsIn(value).every((url) => INSIDE.test(url))
  if (!allowed) throw refusal('svg_refused')
}

// An attribute is a style too: a backslash could spell `url`, and `image-set()` and `src()` go without it.
function leadsOutside(name: string, value: string): boolean {
  if (/\\|image[\w-]*\s*\(|src\s*\(/i.test(value)) return true
  const mayHoldSlashes = name === 'xmlns' || name.startsWith('xmlns:') || REFERENCES.has(name)
  return value.includes('//') && !mayHoldSlashes
}

function urlsIn(value: string): readonly string[] {
  const count = value.toLowerCase().split('url').length - 1
  const found = [...value.matchAll(/url\(\s*['"]?([^'")\s]*)['"]?\s*\)/gi)].map(([, url = '']) => url)
  // What looks like a url() and is not read as one is treated as one that leads outside.
  return found.length === count ? found : ['outside']
}
