/**
 * Vectors of protected resource metadata: the examples of RFC 9728.
 *
 * @module
 */
import {
  createProtectedResourceMetadata,
  parseProtectedResourceMetadata,
  parseWwwAuthenticate,
  protectedResourceMetadataUrl,
} from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import samples from './protected-resource-metadata/rfc9728-examples.json' with { type: 'json' }

describe('examples of RFC 9728', () => {
  for (const { resource, url } of samples.well_known_locations) {
    test(`the metadata of ${resource} [PRM-01]`, () => {
      expect(protectedResourceMetadataUrl(resource)).toBe(url)
    })
  }

  test('the sample metadata is parsed and written back as it is [PRM-02] [PRM-04]', () => {
    const parsed = parseProtectedResourceMetadata(samples.metadata, { resource: samples.metadata.resource })
    expect(createProtectedResourceMetadata(parsed)).toEqual(samples.metadata)
  })

  test('the sample challenge names the metadata URL of its resource [PRM-03]', () => {
    const [challenge] = parseWwwAuthenticate(samples.challenge.www_authenticate)
    expect(challenge?.parameters.get('resource_metadata')).toBe(
      protectedResourceMetadataUrl(samples.metadata.resource),
    )
  })
})
