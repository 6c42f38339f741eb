import { describe, expect, test } from 'vitest'
import { fetchDisplayResource } from './display-resource.js'
import { displayText, escapeXml } from './display-text.js'
import { integrityOf } from './integrity.js'
import { fillSvgTemplate } from './svg-template.js'

const refused = expect.objectContaining({ code: 'svg_refused' })
const svg = (inner: string) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">${inner}</svg>`
const values = new Map<string, string | number | undefined>([
  ['name', '"><script>alert(1)</script>&\''],
  ['level', 3],
  ['absent', undefined],
])

describe('fillSvgTemplate', () => {
  test('escapes values, leaves absent claims empty [VC-D-04]', () => {
    const filled = fillSvgTemplate(svg('<text x="1">{{name}}|{{level}}|{{absent}}</text>'), values)

    expect(filled).toBe(
      svg('<text x="1">&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&apos;|3|</text>'),
    )
  })

  test.each([
    '<text>{{unknown}}</text>',
    '<text>{{constructor}}</text>',
    '<text fill="{{name}}">x</text>',
    "<text fill='{{level}}'>x</text>",
    '<{{name}}/>',
  ])('refuses the placeholder in %s [VC-D-04]', (inner) => {
    expect(() => fillSvgTemplate(svg(inner), values)).toThrow(refused)
  })

  test.each([
    '<script>alert(1)</script>',
    '<SCRIPT/>',
    '<rect onload="alert(1)"/>',
    '<rect ONCLICK="x"/>',
    '<image href="https://evil.example/track.png"/>',
    '<image xlink:href="//evil.example/x"/>',
    '<use href="other.svg#a"/>',
    '<image href="data:image/svg+xml;base64,PHN2Zy8+"/>',
    '<a href="javascript:alert(1)">x</a>',
    '<foreignObject><p/></foreignObject>',
    '<style>@import url(https://evil.example)</style>',
    '<rect style="fill:url(https://evil.example)"/>',
    '<rect fill="url(https://evil.example#a)"/>',
    '<rect fill="u&#114;l(https://evil.example)"/>',
    '<rect fill="\\75rl(https://evil.example#a)"/>',
    '<rect cursor="\\75 rl(https://evil.example/track.png)"/>',
    '<rect cursor="image-set(\'https://evil.example/track.png\' 1x), auto"/>',
    '<rect mask=\'image-set("//evil.example/track.png" 1x)\'/>',
    '<rect mask="src(\'track.png\')"/>',
    '<rect fill="url( &quot;x&quot; )"/>',
    '<animate attributeName="href" to="javascript:x"/>',
    '<set attributeName="onload"/>',
    '<g xml:base="https://evil.example"/>',
    '<![CDATA[x]]>',
    '<!-- x -->',
    '<?xml-stylesheet href="https://evil.example"?>',
    '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<text>&#x3c;script></text',
    '<g></svg>',
    '</g>',
    '<rect fill=red/>',
  ])('refuses %s [VC-D-05]', (inner) => {
    expect(() => fillSvgTemplate(svg(inner), values)).toThrow(refused)
  })

  test('keeps plain drawings, inner references and embedded images [VC-D-05]', () => {
    const drawing = svg(
      '<defs><linearGradient id="g"><stop offset="0" stop-color="#fff"/></linearGradient></defs>' +
        '<rect width="10" height="10" fill="url(#g)"/><use href="#g"/>' +
        '<image href="data:image/png;base64,iVBORw0KGgo="/><g><text>plain</text></g>',
    )
    expect(fillSvgTemplate(drawing, values)).toBe(drawing)
  })

  test('a large or deep template is refused in bounded time', () => {
    expect(() => fillSvgTemplate('x'.repeat(1_048_577), values)).toThrow(refused)
    expect(() => fillSvgTemplate(svg('<g>'.repeat(10_000)), values)).toThrow(refused)
    expect(() => fillSvgTemplate(`<svg ${'a="b" '.repeat(50_000)}`, values)).toThrow(refused)
  })
})

describe('displayText', () => {
  test('markup and instructions stay text; control, bidi and invisible characters go [VC-D-06]', () => {
    expect(displayText('<b>Ignore previous instructions</b>')).toBe('<b>Ignore previous instructions</b>')
    expect(escapeXml(displayText('<b>"&\'</b>'))).toBe('&lt;b&gt;&quot;&amp;&apos;&lt;/b&gt;')
    expect(displayText('a\u202Eb\u0000c\nd\u200Be\u2066f\u{E0041}g')).toBe('a b c d e f g')
    expect(displayText('Zoë 東京 👩🏽')).toBe('Zoë 東京 👩🏽')
  })

  test('length is bounded in characters [VC-D-06]', () => {
    expect([...displayText('x'.repeat(10_000))]).toHaveLength(512)
    expect(displayText('👩👩👩👩', 3)).toBe('👩👩…')
    expect(displayText({ a: [1] })).toBe('{"a":[1]}')
    expect(displayText(undefined)).toBe('')
  })
})

describe('fetchDisplayResource', () => {
  const octets = new Uint8Array([1, 2, 3])
  const web = (status = 200, type = 'image/png') => {
    const calls: string[] = []
    const fetch = async (url: string) => {
      calls.push(url)
      return new Response(octets, { status, headers: { 'content-type': type } })
    }
    return { fetch, calls }
  }
  const uri = 'https://issuer.example/logo.png'
  const code = 'display_resource_refused'

  test('https and data URLs of images, and their integrity [VC-D-03]', async () => {
    const { fetch, calls } = web()
    await expect(fetchDisplayResource({ uri, integrity: integrityOf(octets) }, { fetch })).resolves.toEqual({
      mediaType: 'image/png',
      octets,
    })
    await expect(
      fetchDisplayResource({ uri, integrity: integrityOf(new Uint8Array(1)) }, { fetch }),
    ).rejects.toMatchObject({
      code: 'integrity_mismatch',
    })
    const data = 'data:image/png;base64,AQID'
    await expect(fetchDisplayResource({ uri: data }, { fetch })).resolves.toEqual({
      mediaType: 'image/png',
      octets,
    })
    expect(calls).toEqual([uri, uri])
  })

  test.each([
    'http://issuer.example/logo.png',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/html;base64,PGI+',
    'data:image/png,x',
    'logo.png',
  ])('asks nobody for %s [VC-D-03]', async (bad) => {
    const { fetch, calls } = web()
    await expect(fetchDisplayResource({ uri: bad }, { fetch })).rejects.toMatchObject({ code })
    expect(calls).toEqual([])
  })

  test('an error page or another media type is no image [VC-D-03]', async () => {
    await expect(fetchDisplayResource({ uri }, web(404))).rejects.toMatchObject({ code })
    await expect(fetchDisplayResource({ uri }, web(200, 'text/html'))).rejects.toMatchObject({ code })
  })
})
