/**
 * Requests that every party on the way reads alike.
 *
 * A proxy, a framework and a decision may each decode a path or pick a method by their own rules. Where they can
 * differ, one of them guards another route than the one that runs; such requests are refused, not repaired.
 *
 * Source: RFC 3986, sections 3.3 and 6.2; RFC 9110, sections 7.1 and 9.1.
 *
 * @module
 */

// An encoded slash, backslash, dot or NUL; a lone percent sign; an empty segment; what no path may hold.
const AMBIGUOUS = /%(?:2f|5c|2e|00)|%(?![0-9a-f]{2})|\/\/|[^\x21-\x5b\x5d-\x7e]/i
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/**
 * Tells whether a path has one reading only: no empty or dot segment, no encoded slash, backslash, dot or NUL.
 *
 * @param path As it was sent, before any parser resolved it; without query.
 */
export function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !AMBIGUOUS.test(path) && !DOT_SEGMENT.test(path)
}

const METHOD_OVERRIDES = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']

/**
 * Tells whether a request names one path and one method.
 *
 * A method override is refused even where it is not understood: something behind the gate may understand it.
 */
export function isPlainRequest(request: Request): boolean {
  const path = request.url.replace(/[?#].*$/, '').replace(/^https?:\/\/[^/]*/i, '')
  return isPlainPath(path) && !METHOD_OVERRIDES.some((name) => request.headers.has(name))
}
