import { describe, expect, test } from 'vitest'
import { consentPage, errorPage, signInPage } from './authorization-pages.js'

const HOSTILE = `"'<img src=x onerror=alert(1)>&`
const ESCAPED = '&#34;&#39;&#60;img src=x onerror=alert(1)&#62;&#38;'

describe('the pages', () => {
  test('hold whatever they are given as text, also inside of attributes', () => {
    const pages = [
      signInPage({ action: HOSTILE, interaction: HOSTILE, failed: true }),
      consentPage({
        action: HOSTILE,
        interaction: HOSTILE,
        clientId: HOSTILE,
        person: HOSTILE,
        agents: [HOSTILE],
        credentials: [{ name: HOSTILE, description: HOSTILE, claims: [HOSTILE] }],
      }),
      errorPage({ code: HOSTILE, message: HOSTILE }),
    ]
    for (const html of pages) {
      expect(html).toContain(ESCAPED)
      expect(html).not.toContain('<img')
      // Every quote left is one of ours: it opens or closes an attribute.
      expect(html.replace(/ [a-z-]+="[^"<>]*"/g, '').match(/["']/g)).toBeNull()
    }
  })
})
