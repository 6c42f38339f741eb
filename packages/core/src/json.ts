/**
 * JSON as values: a strict parser, own-property reads, a canonical text.
 *
 * Strict means: duplicate member names and too deep nesting are refused. `__proto__`, `constructor` and
 * `toString` are ordinary member names everywhere.
 *
 * Source: RFC 8259; RFC 7519, section 4 (duplicate names).
 *
 * @module
 */

/** A value that JSON can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject

/** A JSON object; read its members with {@link member}. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** What strict parsing found: a value, or the kind of the first thing wrong. */
export type JsonResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly reason: 'syntax' | 'duplicate_member' | 'too_deep' }

const DEFAULT_MAX_DEPTH = 16

/** Tells whether a value is an object in the sense of JSON: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Tells whether a value is an array of JSON values, where it is known to be JSON. */
export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** Tells whether a value of unknown origin is JSON all the way down (finite numbers, plain members). */
export function isJsonValue(value: unknown): value is JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (Array.isArray(value)) return value.every(isJsonValue)
  return isJsonObject(value) && Object.values(value).every(isJsonValue)
}

/** Reads an own member; an inherited name such as `constructor` is absent. */
export function member(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** Sets an own member, whatever its name: `__proto__` becomes a member, not a prototype. */
export function setMember(target: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name !== '__proto__') {
    target[name] = value
    return
  }
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}

/**
 * Parses JSON text strictly.
 *
 * @param limits.maxDepth Deepest nesting of objects and arrays. Default 16; credentials say 32.
 * @returns The value, or why there is none: `syntax`, `duplicate_member`, `too_deep`.
 */
export function parseJson(text: string, limits: { readonly maxDepth?: number } = {}): JsonResult {
  const structure = scanStructure(text, limits.maxDepth ?? DEFAULT_MAX_DEPTH)
  if (structure !== undefined) return { ok: false, reason: structure }
  try {
    const value: unknown = JSON.parse(text)
    // Not for the compiler alone: `1e999` parses to a number that no JSON can say again.
    return isJsonValue(value) ? { ok: true, value } : { ok: false, reason: 'syntax' }
  } catch {
    return { ok: false, reason: 'syntax' }
  }
}

/**
 * Writes JSON with members sorted by name and no white space, so that equal values have equal texts.
 *
 * Source: after RFC 8785; numbers and strings as `JSON.stringify` writes them, which RFC 8785 adopts.
 */
export function canonicalJson(value: JsonValue): string {
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`).join(',')}}`
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

interface Frame {
  readonly names: Set<string> | undefined // undefined in an array
  nameExpected: boolean
}

// One pass over the text before JSON.parse sees it. Only structure is looked at: that braces nest within
// the limit and that no object names a member twice. Everything else that is wrong, JSON.parse refuses.
function scanStructure(text: string, maxDepth: number): 'duplicate_member' | 'too_deep' | undefined {
  const frames: Frame[] = []
  let frame: Frame | undefined
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (frame?.nameExpected === true && frame.names !== undefined) {
        const name = nameAt(text, at, end)
        if (frame.names.has(name)) return 'duplicate_member'
        frame.names.add(name)
        frame.nameExpected = false
      }
      at = end
    } else if (code === 0x7b || code === 0x5b) {
      if (frames.length >= maxDepth) return 'too_deep'
      frame = { names: code === 0x7b ? new Set() : undefined, nameExpected: code === 0x7b }
      frames.push(frame)
    } else if (code === 0x7d || code === 0x5d) {
      frames.pop()
      frame = frames.at(-1)
    } else if (code === 0x2c && frame !== undefined) {
      frame.nameExpected = frame.names !== undefined
    }
  }
  return undefined
}

// The index of the closing quote; the last index of the text when it never closes.
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1
    if (slashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return text.length
}

// Two spellings of one name are one name: a letter and its \u escape.
function nameAt(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  if (!raw.includes('\\')) return raw
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    return raw
  }
}
