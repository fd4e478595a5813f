// Makes src/gen from proto/: asks tools/protogen for the request that a protoc plugin reads,
// hands it to protoc-gen-es, and makes src/gen exactly what it answered.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBinary } from '@bufbuild/protobuf'
import { CodeGeneratorResponseSchema } from '@bufbuild/protobuf/wkt'

const console_ = dirname(dirname(fileURLToPath(import.meta.url)))
const into = join(console_, 'src', 'gen')
const request = execFileSync('go', ['run', '-C', join(console_, '..', 'tools', 'protogen'), '.', '-root', '../..', '-request'], { maxBuffer: 1 << 26 })
const answer = execFileSync(process.execPath, [join(console_, 'node_modules', '@bufbuild', 'protoc-gen-es', 'bin', 'protoc-gen-es')], { input: request, maxBuffer: 1 << 26 })
const response = fromBinary(CodeGeneratorResponseSchema, answer)
if (response.error) throw new Error(response.error)

const made = new Set()
for (const f of response.file) {
  const path = join(into, f.name)
  made.add(path)
  mkdirSync(dirname(path), { recursive: true })
  let before = null
  try { before = readFileSync(path, 'utf8') } catch { /* it is new */ }
  if (before !== f.content) writeFileSync(path, f.content)
}
const stale = (dir) => {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) stale(path)
    else if (!made.has(path)) rmSync(path)
  }
}
stale(into)
process.stdout.write(`src/gen: ${made.size} files, ${relative(process.cwd(), into)}\n`)
