/**
 * Choosing the form of a document by `Accept`.
 *
 * Source: RFC 9110, section 12.5.1; OpenID4VCI 1.0, section 12.2.2.
 *
 * @module
 */

/**
 * The offered type the reader likes best.
 *
 * @param accept The header field as received.
 * @param offered Types we have, our own favourite first. It is also the answer to a reader who likes none:
 *   the unsigned form must always be obtainable.
 */
export function negotiateMediaType<T extends string>(
  accept: string | null,
  offered: readonly [T, ...T[]],
): T {
  const ranges = (accept ?? '*/*').split(',').map(parseRange)
  const liked = offered.map((type) => ({ type, quality: qualityOf(type, ranges) }))
  const best = Math.max(...liked.map(({ quality }) => quality))
  return liked.find(({ quality }) => quality === best)?.type ?? offered[0]
}

interface MediaRange {
  readonly name: string
  readonly quality: number
}

function parseRange(text: string): MediaRange {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  const quality = given === undefined ? 1 : Number(given)
  return { name, quality: Number.isFinite(quality) ? quality : 0 }
}

/** The most specific range decides. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  const [family = ''] = type.split('/')
  for (const name of [type, `${family}/*`, '*/*']) {
    const range = ranges.find((candidate) => candidate.name === name)
    if (range !== undefined) return range.quality
  }
  return 0
}
