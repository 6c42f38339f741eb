import { describe, expect, test } from 'vitest'
import { externalUrl, normalizeTargetUri } from './target-uri.js'

describe('normalizeTargetUri', () => {
  const TARGET = 'https://api.example.com/v1/~a'

  test('gives equal spellings one form [DPOP-S-10]', () => {
    for (const spelling of [
      TARGET,
      'HTTPS://API.example.COM/v1/~a',
      'https://api.example.com:443/v1/~a',
      'https://api.example.com/v1/%7Ea',
      'https://api.example.com/v1/%7ea?query#fragment',
      'https://api.example.com/x/../v1/./~a',
      'https://api.example.com/x/%2E%2e/v1/~a',
    ]) {
      expect(normalizeTargetUri(spelling), spelling).toBe(TARGET)
    }
    expect(normalizeTargetUri('https://api.example.com')).toBe(normalizeTargetUri('https://api.example.com/'))
    expect(normalizeTargetUri('https://api.example.com/%c3%A9')).toBe('https://api.example.com/%C3%A9')
  })

  test('keeps different URIs different [DPOP-S-09] [DPOP-S-10]', () => {
    for (const other of [
      'http://api.example.com/v1/~a',
      'https://api.example.com:8443/v1/~a',
      'https://api.example.com./v1/~a',
      'https://api.example.com/V1/~a',
      'https://api.example.com/v1/~a/',
      'https://api.example.com//v1/~a',
      'https://api.example.com/v1%2F~a',
      'https://api.example.com/v1/~a;b',
    ]) {
      expect(normalizeTargetUri(other), other).not.toBe(TARGET)
    }
  })

  test.each([
    '/v1/~a',
    'api.example.com/v1',
    '//api.example.com/v1',
    'https:/api.example.com/v1',
    'https:\\\\api.example.com\\v1',
    'https://api.example.com/v1 ',
    ' https://api.example.com/v1',
    'https://api.example.com/\tv1',
    'https://user@api.example.com/v1',
    'https://user:pass@api.example.com/v1',
    'https://@api.example.com/v1',
    'https://api.example.com/%zz',
    'https://api.example.com/%e',
    'https://ａpi.example.com/',
    'ftp://api.example.com/',
    'javascript:alert(1)',
    '',
  ])('%j names no target [DPOP-S-09]', (text) => {
    expect(normalizeTargetUri(text)).toBeUndefined()
  })

  test('an @ in the path is a path [DPOP-S-10]', () => {
    expect(normalizeTargetUri('https://api.example.com/@user')).toBe('https://api.example.com/@user')
  })
})

describe('externalUrl', () => {
  test('takes path and query from the request and everything else from configuration [HMS-V-10] [DPOP-S-09]', () => {
    const forged = new Request('http://127.0.0.1:8080/a/b?c=d', {
      headers: { 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example;proto=http' },
    })
    expect(externalUrl('https://api.example.com', forged.url)).toBe('https://api.example.com/a/b?c=d')
    expect(externalUrl('https://api.example.com/', 'http://evil.example/')).toBe('https://api.example.com/')
    expect(externalUrl('https://api.example.com/prefix', 'http://x/a#f')).toBe(
      'https://api.example.com/prefix/a',
    )
    expect(externalUrl('https://api.example.com', 'http://x//evil.example/a')).toBe(
      'https://api.example.com//evil.example/a',
    )
    expect(externalUrl('https://api.example.com', 'http://x?a=b')).toBe('https://api.example.com/?a=b')
  })

  test.each(['api.example.com', 'https://u@api.example.com', 'https://api.example.com?a', ''])(
    '%j is no origin to configure',
    (origin) => {
      expect(() => externalUrl(origin, 'http://x/')).toThrow(
        expect.objectContaining({ code: 'origin_invalid' }),
      )
    },
  )
})
