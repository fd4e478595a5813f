// Validates an export with programs that are not ours. Used by the tests only.
//
//   node validate.mjs shacl FILE.jsonld... -- SHAPES.ttl...
//   node validate.mjs draft04 FILE.json... -- SCHEMA.json [REFERENCED.json...]
//   node validate.mjs contracts FILE.yaml... -- SCHEMA.json   (2019-09; each YAML document)
//
// Prints an array with {"conforms": bool, "triples": n, "problems": [...]} for each file.
// Exit status 2 when a file could not be read at all. Nothing is fetched from the
// network. The packages are loaded from the folder in MULIAN_NODE_TOOLS.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const tools = createRequire(join(process.env.MULIAN_NODE_TOOLS, 'package.json'))
const load = async (name) => import(pathToFileURL(tools.resolve(name)).href)
const text = (path) => readFileSync(path, 'utf8')
const short = (term) => term === undefined || term === null ? '' : term.value ?? String(term)

const defaults = (m) => m.default ?? m
const problem = (fields) => ({ shapes: '', severity: 'Violation', focus: '', path: '', constraint: '', value: '', ...fields })

// Each kind gets its schemas once, and returns what checks one file.
const kinds = {
  async shacl (shapeFiles) {
    const jsonld = defaults(await load('jsonld'))
    const { Parser, Store } = defaults(await load('n3'))
    const Validator = defaults(await load('rdf-validate-shacl'))
    const refuse = async (url) => { throw new Error(`the document asks the network for ${url}`) }
    const shapes = shapeFiles.map((path) => [path.split('/').pop(), new Store(new Parser({ format: 'text/turtle', baseIRI: 'urn:shapes:' }).parse(text(path)))])
    return async (file) => {
      const quads = await jsonld.toRDF(JSON.parse(text(file)), { format: 'application/n-quads', documentLoader: refuse })
      const data = new Store(new Parser({ format: 'N-Quads' }).parse(quads))
      const problems = []
      for (const [name, store] of shapes) {
        // What the shapes import are vocabularies of the web, and shapes that are given here.
        const report = await new Validator(store, { importGraph: async () => new Store() }).validate(data)
        for (const r of report.results) {
          problems.push(problem({
            shapes: name, severity: short(r.severity).split('#').pop(), focus: short(r.focusNode), path: short(r.path?.[0]?.predicates?.[0] ?? r.path),
            constraint: short(r.sourceConstraintComponent).split('#').pop(), value: short(r.value)
          }))
        }
      }
      return { triples: data.size, problems }
    }
  },

  async draft04 ([schemaFile, ...others]) {
    const check = await compile('ajv-draft-04', schemaFile, others)
    return async (file) => ({ triples: 0, problems: check(JSON.parse(text(file)), '') })
  },

  async contracts ([schemaFile]) {
    const check = await compile('ajv/dist/2019.js', schemaFile, [])
    const { parseAllDocuments } = defaults(await load('yaml'))
    return async (file) => {
      const documents = parseAllDocuments(text(file))
      const problems = documents.flatMap((d, i) => d.errors.length > 0 ? d.errors.map((e) => problem({ focus: String(i), constraint: e.message })) : check(d.toJS(), String(i)))
      return { triples: documents.length, problems }
    }
  }
}

async function compile (dialect, schemaFile, others) {
  const Ajv = defaults(defaults(await load(dialect)))
  const addFormats = defaults(defaults(await load('ajv-formats')))
  const ajv = new Ajv({ allErrors: true, strict: false, logger: false, unicodeRegExp: dialect !== 'ajv-draft-04' })
  addFormats(ajv)
  for (const path of others) ajv.addSchema(JSON.parse(text(path)))
  const check = ajv.compile(JSON.parse(text(schemaFile)))
  return (value, where) => check(value) ? [] : check.errors.map((e) => problem({ focus: where + e.instancePath, path: e.schemaPath, constraint: e.message, value: JSON.stringify(e.params) }))
}

try {
  const [kind, ...rest] = process.argv.slice(2)
  const at = rest.indexOf('--')
  const check = await kinds[kind](rest.slice(at + 1))
  const answers = []
  for (const file of rest.slice(0, at)) {
    const { triples, problems } = await check(file)
    const violations = problems.filter((p) => p.severity === 'Violation')
    answers.push({ conforms: violations.length === 0, triples, problems: violations.slice(0, 1000) })
  }
  console.log(JSON.stringify(answers))
} catch (err) {
  console.error(err.stack ?? String(err))
  process.exit(2)
}
