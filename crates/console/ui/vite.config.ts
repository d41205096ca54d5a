// One page, hashed files, and beside each file its compressed forms, which the program serves as they are.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'
import { mock } from './mock/server.ts'

const dist = join(import.meta.dirname, 'dist')

/** What is bundled comes with licences that have to come along. */
const BUNDLED = ['preact', 'uplot', 'd3-force', 'd3-dispatch', 'd3-quadtree', 'd3-timer']

function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      const texts = BUNDLED.map((name) => {
        const folder = join(import.meta.dirname, 'node_modules', name)
        const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
        return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`
      })
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') })
    },
  }
}

function compress(): Plugin {
  return {
    name: 'compress',
    apply: 'build',
    closeBundle() {
      for (const file of filesOf(dist).filter((file) => /\.(html|js|css|svg|txt)$/.test(file))) {
        const plain = readFileSync(file)
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }
        writeFileSync(`${file}.br`, brotliCompressSync(plain, quality))
        writeFileSync(`${file}.gz`, gzipSync(plain, { level: 9 }))
      }
    },
  }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return statSync(path).isDirectory() ? filesOf(path) : [path]
  })
}

export default defineConfig({
  build: {
    target: 'es2022',
    // Nothing may stand in a page but references to files of this address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  plugins: [licences(), compress(), mock()],
})
