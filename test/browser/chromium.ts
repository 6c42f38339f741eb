/**
 * A headless Chromium that comes from npm, with the libraries and fonts it needs: nothing of the host's is used.
 *
 * Owns starting it and taking it away again. It is unpacked into a folder of its own on every run: what an
 * interrupted run left behind, or somebody else put there, is never started.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

export interface StartedBrowser {
  readonly browser: Browser
  close(): Promise<void>
}

/** Starts the browser; about three seconds, most of them unpacking. */
export async function startChromium(): Promise<StartedBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'attache-chromium-'))
  // The package unpacks into TMPDIR, and the NSS libraries only where it believes to be on a host without them.
  process.env['TMPDIR'] = folder
  process.env['AWS_LAMBDA_JS_RUNTIME'] = 'nodejs20.x'
  const { default: unpacked } = await import('@sparticuz/chromium')
  const executablePath = await unpacked.executablePath()
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    // The sandbox refuses to run as root.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      // The package's own file names folders that are not here; a page without any font crashes.
      FONTCONFIG_FILE: writeFontConfiguration(folder),
    },
  })
  return {
    browser,
    async close() {
      await browser.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function writeFontConfiguration(folder: string): string {
  const file = join(folder, 'fonts.conf')
  const [fonts, cache] = [join(folder, 'fonts'), join(folder, 'font-cache')]
  const body = `<fontconfig><dir>${fonts}</dir><cachedir>${cache}</cachedir></fontconfig>`
  writeFileSync(file, `<?xml version="1.0"?>${body}\n`)
  return file
}
