/**
 * Making text that somebody else wrote fit to be shown to a person.
 *
 * Claims and labels are data. They are never markup, never part of a sentence of ours, and never handed to a
 * language model as instructions: who needs them for one hands over a quoted, bounded value.
 *
 * Source: SD-JWT VC (draft 19), sections 7.6 and 7.9.
 *
 * @module
 */
import type { JsonValue } from '@attache/core'

/** Longest text shown, in characters. */
const MAX_LENGTH = 512

// Cc, Cf (bidi controls, zero-width characters, tags), line and paragraph separators, lone surrogates, private use.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]+/gu

/**
 * A value as one line of plain text: no control, bidi or invisible character, bounded length.
 *
 * @param maxLength In characters; what is longer ends in an ellipsis. @default 512
 */
export function displayText(value: JsonValue | undefined, maxLength: number = MAX_LENGTH): string {
  if (value === undefined) return ''
  // Bounded before the expression runs over it.
  const text = (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 4 * maxLength)
  const plain = [...text.replace(INVISIBLE, ' ')]
  return plain.length <= maxLength ? plain.join('') : `${plain.slice(0, maxLength - 1).join('')}…`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/**
 * Escapes plain text for XML and HTML, in content and in quoted attributes.
 *
 * Source: SD-JWT VC, section 5.5.1.2.2.
 */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
