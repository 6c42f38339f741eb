/**
 * A small reader of DER, for the parts of a certificate that `node:crypto` parses but does not hand out.
 *
 * Knows lengths, tags and the few primitive types X.509 extensions are made of; knows no certificate.
 *
 * Source: ITU-T X.690, sections 8.1, 8.3, 8.19 and 10.
 *
 * @module
 */

/** One element. Numbers of `tag` are the identifier octet: 0x30 SEQUENCE, 0x06 OBJECT IDENTIFIER, ... */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
  /** Identifier, length and content as received. */
  readonly raw: Uint8Array
}

/** Thrown for bytes that are not DER; the caller says what that means. */
const broken = () => new RangeError('not DER')

/** Reads exactly one element that fills the bytes. Throws `RangeError` otherwise. */
export function readElement(bytes: Uint8Array): DerElement {
  const { element, end } = elementAt(bytes, 0)
  if (end !== bytes.length) throw broken()
  return element
}

/** Reads the elements inside a constructed element. Throws `RangeError` when they do not fill it. */
export function readChildren(parent: DerElement): readonly DerElement[] {
  const children: DerElement[] = []
  for (let at = 0; at < parent.content.length; ) {
    const { element, end } = elementAt(parent.content, at)
    children.push(element)
    at = end
  }
  return children
}

/** Reads an OBJECT IDENTIFIER in dotted form. Throws `RangeError` on another tag. */
export function readObjectIdentifier(element: DerElement | undefined): string {
  if (element?.tag !== 0x06) throw broken()
  const arcs: number[] = []
  let value = 0
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f)
    if (!Number.isSafeInteger(value)) throw broken()
    if (byte >= 0x80) continue
    arcs.push(value)
    value = 0
  }
  const [first = 0, ...rest] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** Reads a small non-negative INTEGER. Throws `RangeError` on another tag, a negative or a huge number. */
export function readSmallInteger(element: DerElement): number {
  const [first = 0xff] = element.content
  if (element.tag !== 0x02 || element.content.length > 4 || first >= 0x80) throw broken()
  return element.content.reduce((sum, byte) => sum * 256 + byte, 0)
}

function elementAt(bytes: Uint8Array, start: number): { element: DerElement; end: number } {
  const [tag, first] = [bytes[start], bytes[start + 1]]
  // High tag numbers and indefinite lengths do not occur in certificates.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f || first === 0x80) throw broken()

  const lengthBytes = first < 0x80 ? 0 : first - 0x80
  const contentStart = start + 2 + lengthBytes
  if (lengthBytes > 3 || contentStart > bytes.length) throw broken()
  const length = bytes.subarray(start + 2, contentStart).reduce((sum, byte) => sum * 256 + byte, 0)
  const end = contentStart + (lengthBytes === 0 ? first : length)
  if (end > bytes.length) throw broken()
  return {
    element: { tag, content: bytes.subarray(contentStart, end), raw: bytes.subarray(start, end) },
    end,
  }
}
