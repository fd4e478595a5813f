
// ---- the page of an evidence folder: what stands above is the verifier ----

const plainly = (s) => String(s).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
const lengthed = (s) => { const b = utf8(s ?? ''); return concat(bigEndian(b.length, 4), b) }

// commitmentOf computes what the ledger keeps of an opening.
function commitmentOf(o) {
  const m = o.metadata, meta = sha256(concat(utf8('mulian-evidence-metadata-v1\0'), bigEndian(m.bytes), ...[m.name, m.media_type, m.note, m.modified].map(lengthed)))
  return sha256(concat(utf8('mulian-evidence-v1\0'), unhex(o.salt), unhex(o.sha256), unhex(o.sm3), meta))
}

// checkPack checks the parts of a folder with the genesis hash that the reader trusts, and
// the original file (Uint8Array) if there is one. It returns the steps in their order; the
// first that does not hold is the last one.
export function checkPack(parts, genesis, original) {
  const o = parts.opening, steps = [], out = { ok: false, steps, proof: null, operator: null, organisation: null }
  const step = (zh, en, ok, says) => { steps.push({ zh, en, ok, says: plainly(says) }); return ok }
  const commitment = hex(commitmentOf(o))
  if (!step('证据夹', 'opening', commitment === o.commitment && commitment.slice(0, 32) === o.id, `commitment ${commitment}`)) return out
  if (original) {
    const a = hex(sha256(original)), b = hex(sm3(original))
    if (!step('原文件', 'file', original.length === o.metadata.bytes && a === o.sha256 && b === o.sm3, `${original.length} bytes, SHA-256 ${a}`)) return out
  }
  const p = verify(utf8(parts.proof), genesis)
  if (!step('证明文件', 'proof', p.ok, p.ok ? `block ${p.height + 1}, signed by ${p.power}, SM2 ${p.sm2}` : `${p.code} ${p.step}, ${p.field}: ${p.reason}`)) return out
  if (p.object !== 'evidence/item/' + o.id) { step('账本', 'ledger', false, p.object); return out }
  const e = scan(p.value, false, { 1: 't', 2: 'b', 3: 'n', 4: 'm', 5: 't', 6: 'n', 7: 'n', 8: 't' })
  const same = hex(e.raw(2)) === o.commitment && e.number(3) === o.metadata.bytes && e.text(5) === o.account &&
    e.number(6) === o.at_ms && e.number(7) === o.height && e.text(8) === (o.supersedes ?? '') && o.genesis === genesis && p.chain === o.chain
  if (!step('账本', 'ledger', same, `${p.object}, ${e.text(5)}, height ${e.number(7)}`)) return out
  const of = (file, id) => {
    const r = verify(utf8(file), genesis)
    if (!r.ok || r.object !== 'identity/account/' + id) return null
    const a = scan(r.value, false, { 1: 't', 4: 't', 8: 'm', 9: 't' })
    return { id: a.text(1), org: a.text(4), name: scan(a.raw(8), false, { 1: 't' }).text(1) || a.text(9) }
  }
  out.operator = of(parts.operator, o.account)
  if (out.operator && out.operator.org && out.operator.org !== o.account) out.organisation = of(parts.organisation ?? '', out.operator.org)
  const known = out.operator && (!out.operator.org || out.operator.org === o.account || out.organisation)
  if (!step('存证人', 'operator', !!known, known ? [out.organisation?.name, out.operator.name, o.account].filter(Boolean).join(' ') : o.account)) return out
  out.proof = p
  out.ok = true
  return out
}

function showPack() {
  const parts = JSON.parse(document.getElementById('parts').textContent), o = parts.opening
  const $ = (id) => document.getElementById(id)
  const rows = (id, list) => {
    $(id).replaceChildren(...list.map((cells) => {
      const tr = document.createElement('tr')
      for (const c of cells) {
        const td = document.createElement('td')
        td.textContent = plainly(c.text ?? c)
        if (c.kind) td.className = c.kind
        tr.append(td)
      }
      return tr
    }))
  }
  const mono = (text) => ({ text, kind: 'mono' }), at = (ms) => ms ? new Date(ms).toISOString() : ''
  let original = null, name = ''
  const show = () => {
    const genesis = $('genesis').value.trim().toLowerCase(), verdict = $('verdict')
    if (!/^[0-9a-f]{64}$/.test(genesis)) { verdict.className = 'no'; verdict.textContent = '创世哈希是 64 位十六进制 / the genesis hash has 64 hexadecimal digits'; return }
    let r
    try { r = checkPack(parts, genesis, original) } catch (e) { r = { ok: false, steps: [{ zh: '程序', en: 'program', ok: false, says: String(e) }] } }
    verdict.className = r.ok ? 'yes' : 'no'
    verdict.textContent = !r.ok ? '不相符：不要采信 / It does not hold: do not believe it'
      : original ? `相符：${plainly(name)} 在区块 ${o.height} 形成时已经存在 / It holds: the file existed when block ${o.height} was made`
        : '证据夹相符；请选择原文件以核对 / The folder holds; choose the original file to compare it'
    rows('steps', r.steps.map((s) => [{ text: s.ok ? '✓' : '✗', kind: s.ok ? 'yes' : 'no' }, `${s.zh} ${s.en}`, mono(s.says)]))
    const p = o.provenance
    rows('facts', [
      ['文件 File', `${o.metadata.name}, ${o.metadata.bytes} bytes, ${o.metadata.media_type}`], ['SHA-256', mono(o.sha256)], ['SM3', mono(o.sm3)], ['说明 Note', o.metadata.note ?? ''],
      ['存证人 Anchored by', [r.organisation?.name, r.operator?.name, o.account].filter(Boolean).join(' ')],
      ['签名 Signed with', mono((r.proof?.signers ?? []).map((s) => `${s.key} (${s.algorithm}, ${s.state})`).join(', '))],
      ['区块 Block', `${o.height}, ${at(o.at_ms)}`], ['交易 Transaction', mono(o.tx ?? '')], ['链 Chain', o.chain],
      ['取证方式 Capture', p.capture], ['网关 Gateway', p.gateway ?? ''], ['来源 Source', p.source ?? ''], ['取证时间 Captured', at(p.captured_ms)],
      ['时钟 Clock', `${p.clock_source}${p.clock_error_ms ? `, ${p.clock_offset_ms} ± ${p.clock_error_ms} ms` : ''}`], ['程序 Program', mono(`${p.software} ${p.software_sha256 ?? ''}`)],
    ].filter((row) => (row[1].text ?? row[1]) !== ''))
    rows('validators', (r.proof?.validators ?? []).map((v) => {
      const known = parts.validators.find((x) => x.public_key === v.key)
      return [`${known?.organisation ?? ''} ${known?.name ?? ''}`, mono(v.key), `${v.power}`, `${v.signed ? '已签署 signed' : '未签署 not signed'}${v.sm2 ? ', SM2' : ''}`]
    }))
  }
  $('genesis').value = o.genesis
  $('genesis').addEventListener('input', show)
  $('file').addEventListener('change', async (e) => {
    const f = e.target.files[0]
    if (f && f.size > 512 << 20) { alert('文件大于 512 MiB，请用命令行核验 / more than 512 MiB: use the command line'); return }
    original = f ? new Uint8Array(await f.arrayBuffer()) : null
    name = f ? f.name : ''
    show()
  })
  show()
}

if (typeof document !== 'undefined') showPack()
