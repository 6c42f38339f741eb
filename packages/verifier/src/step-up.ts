/**
 * Step-up: a route that wants a fresher presentation, or one made in a stronger way, than the token stands for.
 *
 * The answer is RFC 9470's: 401 `insufficient_user_authentication` with `max_age` or `acr_values`, and whoever
 * presents again gets a token that serves. It is a presentation, not a login, whose age counts; every run of the
 * challenge route presents anew, so no parameter of the request has to be honoured for it.
 *
 * Source: RFC 9470, sections 3 and 6.2; requirements/sender-constraint.md, PRM-08.
 *
 * @module
 */
import { configurationError, type NumericDate } from '@attache/core'
import type { Presentation } from './presentation.js'

/** How a presentation was made, the weakest first. */
export const PRESENTATION_CONTEXTS = {
  /** The holder of the bound key presented; nobody vouched for the wallet. */
  keyBound: 'urn:attache:acr:key-bound',
  /** A wallet that an attester vouches for presented, with the bound key. */
  attestedWallet: 'urn:attache:acr:attested-wallet',
} as const

/** One of {@link PRESENTATION_CONTEXTS}. */
export type PresentationContext = (typeof PRESENTATION_CONTEXTS)[keyof typeof PRESENTATION_CONTEXTS]

/** A presentation, with how it was made; without holder binding there is nothing to say. */
export function inContext(presentation: Presentation, context: PresentationContext): Presentation {
  const bound = presentation.credentials.every(({ replayable }) => !replayable)
  return bound ? { ...presentation, context } : presentation
}

/** What a route wants of the presentation behind a token. */
export interface StepUp {
  /** Greatest age of the presentation, in seconds, 5 to 300. @default the life of the token */
  readonly maxPresentationAgeSeconds?: number
  /** How it must have been made; a stronger way serves too. @default any */
  readonly presentationContext?: PresentationContext
}

/** What an answer names so that the client knows what to do. */
export interface StepUpDemand {
  readonly acrValues?: readonly string[]
  readonly maxAgeSeconds?: number
}

const ORDER: readonly string[] = [PRESENTATION_CONTEXTS.keyBound, PRESENTATION_CONTEXTS.attestedWallet]

/**
 * Reads what a route wants.
 *
 * @throws {TypeError} `presentation_age`, `presentation_context`.
 */
export function readStepUp({ maxPresentationAgeSeconds: age, presentationContext: context }: StepUp): StepUp {
  if (age !== undefined && !(Number.isSafeInteger(age) && age >= 5 && age <= 300)) {
    throw configurationError(
      'presentation_age',
      'maxPresentationAgeSeconds is a whole number from 5 to 300; no token lives longer.',
    )
  }
  if (context !== undefined && !ORDER.includes(context)) {
    throw configurationError('presentation_context', 'presentationContext is one of PRESENTATION_CONTEXTS.')
  }
  return {
    ...(age === undefined ? {} : { maxPresentationAgeSeconds: age }),
    ...(context === undefined ? {} : { presentationContext: context }),
  }
}

/**
 * What a presentation lacks for a route.
 *
 * @returns Nothing when it serves. A record that does not say when or how it was made serves no demand.
 *
 * Source: RFC 9470, section 3.
 */
export function stepUpNeeded(
  { maxPresentationAgeSeconds: maxAge, presentationContext: wanted }: StepUp,
  { presentedAt, context }: Presentation,
  now: NumericDate,
): StepUpDemand | undefined {
  const fresh = maxAge === undefined || (presentedAt !== undefined && now - presentedAt <= maxAge)
  const strong = wanted === undefined || ORDER.indexOf(context ?? '') >= ORDER.indexOf(wanted)
  if (fresh && strong) return undefined
  return {
    ...(strong || wanted === undefined ? {} : { acrValues: ORDER.slice(ORDER.indexOf(wanted)) }),
    ...(fresh || maxAge === undefined ? {} : { maxAgeSeconds: maxAge }),
  }
}
