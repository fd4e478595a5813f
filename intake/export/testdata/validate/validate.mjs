// Validates an export with programs that are not ours. Used by the tests only.
//
//   node validate.mjs shacl FILE.jsonld SHAPES.ttl...
//   node validate.mjs draft04 FILE.json SCHEMA.json [REFERENCED.json...]
//
// Prints one JSON object: {"conforms": bool, "triples": n, "problems": [...]}. Exit
// status 2 when the file could not be read at all. Nothing is fetched from the network.
// The packages are loaded from the folder in MULIAN_NODE_TOOLS.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const tools = createRequire(join(process.env.MULIAN_NODE_TOOLS, 'package.json'))
const load = async (name) => import(pathToFileURL(tools.resolve(name)).href)
const text = (path) => readFileSync(path, 'utf8')
const short = (term) => term === undefined || term === null ? '' : term.value ?? String(term)

async function shacl (file, shapeFiles) {
  const { default: jsonld } = await load('jsonld')
  const n3module = await load('n3')
  const { Parser, Store } = n3module.default ?? n3module
  const { default: Validator } = await load('rdf-validate-shacl')
  const refuse = async (url) => { throw new Error(`the document asks the network for ${url}`) }
  const quads = await jsonld.toRDF(JSON.parse(text(file)), { format: 'application/n-quads', documentLoader: refuse })
  const data = new Store(new Parser({ format: 'N-Quads' }).parse(quads))
  const problems = []
  for (const path of shapeFiles) {
    const shapes = new Store(new Parser({ format: 'text/turtle', baseIRI: 'urn:shapes:' }).parse(text(path)))
    const report = await new Validator(shapes, { importGraph: async () => new Store() }).validate(data)
    for (const r of report.results) {
      problems.push({
        shapes: path.split('/').pop(), severity: short(r.severity).split('#').pop(), focus: short(r.focusNode), path: short(r.path?.[0]?.predicates?.[0] ?? r.path),
        constraint: short(r.sourceConstraintComponent).split('#').pop(), value: short(r.value)
      })
    }
  }
  return { conforms: !problems.some((p) => p.severity === 'Violation'), triples: data.size, problems }
}

async function draft04 (file, schemaFile, others) {
  const { default: ajvModule } = await load('ajv-draft-04')
  const Ajv = ajvModule.default ?? ajvModule
  const { default: formatsModule } = await load('ajv-formats')
  const ajv = new Ajv({ allErrors: true, strict: false, logger: false, unicodeRegExp: false })
  const addFormats = formatsModule.default ?? formatsModule
  addFormats(ajv)
  for (const path of others) ajv.addSchema(JSON.parse(text(path)))
  const check = ajv.compile(JSON.parse(text(schemaFile)))
  const conforms = check(JSON.parse(text(file)))
  return { conforms, triples: 0, problems: (check.errors ?? []).map((e) => ({ shapes: schemaFile.split('/').pop(), severity: 'Violation', focus: e.instancePath, path: e.schemaPath, constraint: e.message, value: '' })) }
}

try {
  const [kind, file, schema, ...others] = process.argv.slice(2)
  const answer = kind === 'shacl' ? await shacl(file, [schema, ...others]) : await draft04(file, schema, others)
  answer.problems = answer.problems.slice(0, 200)
  console.log(JSON.stringify(answer))
} catch (err) {
  console.error(err.stack ?? String(err))
  process.exit(2)
}
