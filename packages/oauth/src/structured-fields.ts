/**
 * Structured field values: the syntax of `Signature-Input`, `Signature`, `Content-Digest` and `Accept-Signature`.
 *
 * Owns parsing to a value and writing it back in the one strict form, which is what gets signed.
 * `http-message-signatures` brings a parser too, but keeps neither the difference between integer and decimal
 * nor that between token and string, both of which the strict form needs.
 *
 * Source: RFC 8941, sections 3 and 4 (RFC 9651 adds dates and display strings, which no field here uses).
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import { VerificationError } from '@attache/core'

/** A bare item, with its type. */
export type BareItem =
  | { readonly type: 'integer' | 'decimal'; readonly value: number }
  | { readonly type: 'string' | 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'boolean'; readonly value: boolean }

/** Parameters in the order in which they were written. */
export type Parameters = ReadonlyMap<string, BareItem>

/** An item with its parameters. */
export interface Item {
  readonly kind: 'item'
  readonly value: BareItem
  readonly parameters: Parameters
}

/** A list in parentheses with its parameters. */
export interface InnerList {
  readonly kind: 'inner-list'
  readonly items: readonly Item[]
  readonly parameters: Parameters
}

/** A member of a list or dictionary. */
export type Member = Item | InnerList

/** Members by key, in the order in which the keys were first written. */
export type Dictionary = ReadonlyMap<string, Member>

const KEY = /[a-z*][a-z0-9_\-.*]*/y
const NUMBER = /-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y
const STRING = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y
const BOOLEAN = /\?([01])/y
const SPACES = / */y
const COMMA = /[ \t]*,[ \t]*/y

type Scan = (pattern: RegExp) => RegExpExecArray | undefined

function malformed(): VerificationError {
  return new VerificationError('structured_field', 'A structured field is malformed.')
}

/** Parses a dictionary; a later member replaces an earlier one of its key. Nothing when malformed. */
export function parseDictionary(text: string): Dictionary | undefined {
  return parseWhole(text, (scan, atEnd) => {
    const members = new Map<string, Member>()
    while (!atEnd()) {
      if (members.size > 0 && scan(COMMA) === undefined) throw malformed()
      const key = required(scan(KEY))[0]
      members.set(key, scan(/=/y) === undefined ? flag(scan) : member(scan))
    }
    return members
  })
}

/** Parses a list. Nothing when malformed. */
export function parseList(text: string): readonly Member[] | undefined {
  return parseWhole(text, (scan, atEnd) => {
    const members: Member[] = []
    while (!atEnd()) {
      if (members.length > 0 && scan(COMMA) === undefined) throw malformed()
      members.push(member(scan))
    }
    return members
  })
}

/** Parses one item. Nothing when malformed. */
export function parseItem(text: string): Item | undefined {
  return parseWhole(text, (scan) => item(scan))
}

function parseWhole<T>(text: string, parse: (scan: Scan, atEnd: () => boolean) => T): T | undefined {
  let at = 0
  const trimmed = trimEnds(text, ' ')
  const scan: Scan = (pattern) => {
    pattern.lastIndex = at
    const match = pattern.exec(trimmed) ?? undefined
    if (match !== undefined) at += match[0].length
    return match
  }
  try {
    const value = parse(scan, () => at >= trimmed.length)
    return at === trimmed.length ? value : undefined
  } catch (error) {
    if (error instanceof VerificationError) return undefined
    throw error
  }
}

/**
 * Takes blanks away at both ends. By hand: ` +$` would try every run of spaces inside again from each of its
 * spaces, and a header field has room for thousands.
 *
 * @param blanks The characters to take away.
 */
export function trimEnds(text: string, blanks: string): string {
  let [start, end] = [0, text.length]
  while (start < end && blanks.includes(text.charAt(start))) start += 1
  while (end > start && blanks.includes(text.charAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw malformed()
  return value
}

function flag(scan: Scan): Item {
  return { kind: 'item', value: { type: 'boolean', value: true }, parameters: parameters(scan) }
}

function member(scan: Scan): Member {
  if (scan(/\(/y) === undefined) return item(scan)
  const items: Item[] = []
  for (;;) {
    const spaces = required(scan(SPACES))[0]
    if (scan(/\)/y) !== undefined) return { kind: 'inner-list', items, parameters: parameters(scan) }
    if (items.length > 0 && spaces === '') throw malformed()
    items.push(item(scan))
  }
}

function item(scan: Scan): Item {
  return { kind: 'item', value: bareItem(scan), parameters: parameters(scan) }
}

function parameters(scan: Scan): Parameters {
  const found = new Map<string, BareItem>()
  while (scan(/; */y) !== undefined) {
    const key = required(scan(KEY))[0]
    found.delete(key)
    found.set(key, scan(/=/y) === undefined ? { type: 'boolean', value: true } : bareItem(scan))
  }
  return found
}

function bareItem(scan: Scan): BareItem {
  const number = scan(NUMBER)?.[0]
  if (number !== undefined) {
    return { type: number.includes('.') ? 'decimal' : 'integer', value: Number(number) }
  }
  const string = scan(STRING)?.[1]
  if (string !== undefined) return { type: 'string', value: string.replace(/\\(.)/g, '$1') }
  const token = scan(TOKEN)?.[0]
  if (token !== undefined) return { type: 'token', value: token }
  const bytes = scan(BYTES)?.[1]
  if (bytes !== undefined) return { type: 'bytes', value: decodeBytes(bytes) }
  return { type: 'boolean', value: required(scan(BOOLEAN))[1] === '1' }
}

function decodeBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  // One spelling for one value: no missing padding, no bits behind the last byte.
  if (bytes.toString('base64') !== text) throw malformed()
  return bytes
}

/** Writes a dictionary. */
export function serializeDictionary(dictionary: Dictionary): string {
  return [...dictionary].map(([key, value]) => `${key}${serializeValue(value)}`).join(', ')
}

function serializeValue(value: Member): string {
  const isFlag = value.kind === 'item' && value.value.type === 'boolean' && value.value.value
  return isFlag ? serializeParameters(value.parameters) : `=${serializeMember(value)}`
}

/** Writes a list. */
export function serializeList(members: readonly Member[]): string {
  return members.map(serializeMember).join(', ')
}

/** Writes a member of a list or dictionary. */
export function serializeMember(value: Member): string {
  const content =
    value.kind === 'item' ? serializeBareItem(value.value) : `(${value.items.map(serializeMember).join(' ')})`
  return `${content}${serializeParameters(value.parameters)}`
}

function serializeParameters(values: Parameters): string {
  return [...values]
    .map(([key, value]) =>
      value.type === 'boolean' && value.value ? `;${key}` : `;${key}=${serializeBareItem(value)}`,
    )
    .join('')
}

function serializeBareItem(item: BareItem): string {
  switch (item.type) {
    case 'integer':
      return item.value.toFixed(0)
    case 'decimal':
      return item.value.toFixed(3).replace(/0{1,2}$/, '')
    case 'string':
      return `"${item.value.replace(/["\\]/g, '\\$&')}"`
    case 'token':
      return item.value
    case 'bytes':
      return `:${Buffer.from(item.value).toString('base64')}:`
    case 'boolean':
      return item.value ? '?1' : '?0'
  }
}
