/**
 * `WWW-Authenticate`: how a server names the ways to come in, made and parsed.
 *
 * Owns the syntax (several challenges in one field, quoted strings, schemes in any case) and the challenge of
 * a protected resource. Does not decide which error a call meets.
 *
 * Source: RFC 9110, sections 11.2, 11.3 and 11.6.1; RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728,
 * section 5.1.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'

/** One challenge. */
export interface Challenge {
  /** Authentication scheme in lower case: it is compared without case. */
  readonly scheme: string
  /** The single value of schemes that have no parameters. */
  readonly token68?: string | undefined
  /** Parameters; names in lower case, values as they are. */
  readonly parameters: ReadonlyMap<string, string>
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const TOKEN_ONLY = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"/y
const SEPARATOR = /(?:[ \t]*,)+[ \t]*|[ \t]*$/y
const SPACES = /[ \t]*/y
const MAX_FIELD_LENGTH = 8192

/**
 * Parses the field; several fields are joined with a comma first, as `Headers.get` does.
 *
 * @throws {VerificationError} `www_authenticate_malformed`: the field is not a list of challenges, is longer
 *   than 8192 characters, or repeats a parameter.
 *
 * Source: RFC 9110, sections 11.2 and 11.6.1.
 */
export function parseWwwAuthenticate(field: string): readonly Challenge[] {
  if (field.length > MAX_FIELD_LENGTH) throw malformed()
  const scan = createScanner(field)
  const challenges: Challenge[] = []
  scan(/[ \t,]*/y)
  while (!scan.done()) {
    const scheme = scan(TOKEN)?.[0].toLowerCase()
    if (scheme === undefined) throw malformed()
    challenges.push({ scheme, ...challengeContent(scan) })
  }
  return challenges
}

/**
 * Writes one challenge or several into one field.
 *
 * @throws {TypeError} `www_authenticate_invalid` for a scheme or parameter the syntax cannot carry.
 *
 * Source: RFC 9110, sections 11.2 and 11.6.1.
 */
export function createWwwAuthenticate(challenges: readonly Challenge[]): string {
  return challenges.map(createChallenge).join(', ')
}

function createChallenge({ scheme, token68, parameters }: Challenge): string {
  const pairs = [...parameters].map(([name, value]) => {
    if (!TOKEN_ONLY.test(name) || !/^[\t\x20-\x7e]*$/.test(value)) throw unusable()
    return `${name}="${value.replace(/["\\]/g, '\\$&')}"`
  })
  const unusableToken = token68 !== undefined && !/^[A-Za-z0-9\-._~+/]+=*$/.test(token68)
  if (!TOKEN_ONLY.test(scheme) || unusableToken || (token68 !== undefined && pairs.length > 0))
    throw unusable()
  return [schemeName(scheme), token68 ?? pairs.join(', ')].filter((part) => part !== '').join(' ')
}

// The registered spelling reads better; it has no meaning.
function schemeName(scheme: string): string {
  const names: Readonly<Record<string, string>> = { dpop: 'DPoP', bearer: 'Bearer', openid4vp: 'OpenID4VP' }
  const lower = scheme.toLowerCase()
  return Object.hasOwn(names, lower) ? (names[lower] ?? scheme) : scheme
}

interface Scanner {
  (pattern: RegExp): RegExpExecArray | undefined
  done(): boolean
  /** Looks without moving: would these patterns match one after the other? */
  sees(...patterns: readonly RegExp[]): boolean
}

function createScanner(text: string): Scanner {
  let at = 0
  const scan = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(text) ?? undefined
    if (match !== undefined) at += match[0].length
    return match
  }
  return Object.assign(scan, {
    done: () => at >= text.length,
    sees(...patterns: readonly RegExp[]) {
      const start = at
      const all = patterns.every((pattern) => scan(pattern) !== undefined)
      at = start
      return all
    },
  })
}

function challengeContent(scan: Scanner): Pick<Challenge, 'token68' | 'parameters'> {
  const parameters = new Map<string, string>()
  if (scan.sees(SEPARATOR) || scan.done()) {
    if (scan(SEPARATOR) === undefined) throw malformed()
    // `Basic, DPoP algs=...`: the next thing after the comma is another scheme.
    return { parameters }
  }
  if (scan(/[ ]+/y) === undefined) throw malformed()
  if (!scan.sees(TOKEN, EQUALS, /["!#$%&'*+\-.^_`|~0-9A-Za-z]/y)) {
    const token68 = scan(TOKEN68)?.[0]
    if (token68 === undefined || scan(SEPARATOR) === undefined) throw malformed()
    return { token68, parameters }
  }
  while (scan.sees(TOKEN, EQUALS)) {
    const name = scan(TOKEN)?.[0].toLowerCase() ?? ''
    scan(EQUALS)
    const value = scan(QUOTED)?.[1]?.replace(/\\(.)/g, '$1') ?? scan(TOKEN)?.[0]
    if (value === undefined || parameters.has(name) || scan(SEPARATOR) === undefined) throw malformed()
    parameters.set(name, value)
  }
  scan(SPACES)
  return { parameters }
}

function malformed(): VerificationError {
  return new VerificationError('www_authenticate_malformed', 'The WWW-Authenticate field does not parse.')
}

function unusable(): TypeError {
  return configurationError(
    'www_authenticate_invalid',
    'A challenge has a name or value the syntax cannot carry.',
  )
}
