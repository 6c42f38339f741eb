/**
 * What types of credentials are called, for the operator's view.
 *
 * Owns when a name is learned, and that nothing else of a type's display is taken over: no colour, no image, no
 * template, nothing that is fetched for being shown. A name is one line of plain text of bounded length. Names come
 * from the type metadata at an https `vct` that the configuration lists for an issuer, checked against the
 * credential's `vct#integrity`; where there is none, from the issuer's own metadata. A name decides nothing.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4; SD-JWT VC (draft 19), sections 5.3, 5.5, 7.6 and 7.9.
 *
 * @module
 */
import {
  type Log,
  type NumericDate,
  type OutboundFetch,
  parseHttpsUrl,
  VerificationError,
} from '@attache/core'
import {
  chooseDisplay,
  createTypeMetadataResolver,
  displayText,
  type TypeDisplay,
  type TypeReference,
} from '@attache/sd-jwt'

/** A name in one language. */
export interface LocalName {
  /** Language tag; empty where the publisher names none. */
  readonly locale: string
  readonly name: string
}

/** Names of types. */
export interface TypeNames {
  /** Asks for the name of a type, unless that was done lately. Never rejects for what the publisher did wrong. */
  learn(type: TypeReference, now: NumericDate): Promise<void>
  /**
   * The name as it was learned; never asks anybody.
   *
   * @param languages Language tags, most wanted first.
   */
  nameOf(type: TypeReference, languages: readonly string[]): string | undefined
}

const LEARN_AGAIN_SECONDS = 6 * 3_600
const MOST_TYPES = 500
/** Languages of one type that are kept. */
const MOST_LANGUAGES = 32
/** Longest name and language tag, in characters. */
const MAX_NAME = 80
const MAX_TAG = 35

/**
 * Makes an empty memory.
 *
 * @param options.vcts Types whose metadata may be fetched; those that are no https URLs never are.
 */
export function createTypeNames(
  options: { readonly vcts: readonly string[] },
  deps: { readonly fetch: OutboundFetch; readonly log: Log },
): TypeNames {
  const publishers = options.vcts.flatMap((vct) => parseHttpsUrl(vct)?.origin ?? [])
  const resolver = createTypeMetadataResolver({ publishers, maxBytes: 65_536 }, deps)
  const known = new Map<string, { readonly names: readonly LocalName[]; readonly at: NumericDate }>()

  async function fetchNames(type: TypeReference, now: NumericDate): Promise<readonly LocalName[]> {
    if (!options.vcts.includes(type.vct) || parseHttpsUrl(type.vct) === undefined) return []
    try {
      const { name, display = [] } = await resolver.resolve(type, now)
      return localNames(display.length > 0 || name === undefined ? display : [{ locale: '', name }])
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error
      // The credential is as good without a name: what is wrong with its metadata is for the log.
      deps.log.warn('wallet.type_metadata', { vct: type.vct, code: error.code })
      return []
    }
  }

  return {
    async learn(type, now) {
      const key = keyOf(type)
      const last = known.get(key)
      if (last !== undefined && now - last.at < LEARN_AGAIN_SECONDS) return
      if (known.size >= MOST_TYPES) known.clear()
      known.set(key, { names: last?.names ?? [], at: now })
      known.set(key, { names: await fetchNames(type, now), at: now })
    },
    nameOf: (type, languages) => chosenName(known.get(keyOf(type))?.names ?? [], languages),
  }
}

/** Names fit to be shown; what has none is left out. */
export function localNames(
  entries: readonly (Pick<TypeDisplay, 'name'> & { readonly locale?: string | undefined })[],
): readonly LocalName[] {
  return entries.slice(0, MOST_LANGUAGES).flatMap(({ locale = '', name }) => {
    const shown = displayText(name, MAX_NAME).trim()
    return shown === '' || locale.length > MAX_TAG || !/^[A-Za-z0-9-]*$/.test(locale)
      ? []
      : [{ locale, name: shown }]
  })
}

/** The name that fits a reader best; the first one when none does. */
export function chosenName(names: readonly LocalName[], languages: readonly string[]): string | undefined {
  return chooseDisplay(names, languages)?.name
}

function keyOf({ vct, integrity = '' }: TypeReference): string {
  return JSON.stringify([vct, integrity])
}
