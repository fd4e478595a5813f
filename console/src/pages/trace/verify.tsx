// The offline check: files are dropped here, checked in the page, and never leave it. It works
// without a network once it is open.
import { CheckCircleOutlined, CloseCircleOutlined, InboxOutlined, LoadingOutlined } from '@ant-design/icons'
import { Button, Input } from 'antd'
import { type DragEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Bytes, hex } from '@/chain/bytes'
import { amount, exact } from '@/chain/words'
import { check, load, takeHanded, trust, useTrust } from '@/check/check'
import type { PackReport } from '@/check/pack'
import type { Answer } from '@/check/worker'
import { Verdict } from '@/parts/proof'
import { useWho } from '@/shell/who'

const MAX_FILE = 64 << 20
const MAX_FILES = 20

interface Dropped { id: number; name: string; bytes: number; progress?: [number, number]; answer?: Answer; trouble?: string }

let count = 0

export default function Verify() {
  const { t } = useTranslation('trace')
  const { here } = useWho()
  const mine = useTrust(here.chainId, hex(here.genesisHash))
  const [own, setOwn] = useState<string>()
  const [list, setList] = useState<Dropped[]>([])
  const [over, setOver] = useState(false)
  const [state, setState] = useState<'loading' | 'ready' | 'failed'>('loading')
  const [checkpoint, setCheckpoint] = useState<string>()
  const input = useRef<HTMLInputElement>(null)
  const genesis = (own ?? mine.hash).trim().toLowerCase(), usable = /^[0-9a-f]{64}$/.test(genesis)
  useEffect(() => { load().then(() => setState('ready'), () => setState('failed')) }, [])
  const change = (id: number, x: Partial<Dropped>) => setList((all) => all.map((d) => (d.id === id ? { ...d, ...x } : d)))
  const one = async (f: File) => {
    const d: Dropped = { id: ++count, name: f.name, bytes: f.size }
    setList((all) => [d, ...all].slice(0, MAX_FILES))
    if (f.size > MAX_FILE) return change(d.id, { trouble: t('verify.long', { mb: MAX_FILE >> 20 }) })
    if (f.size === 0) return change(d.id, { trouble: t('verify.nothing') })
    const raw = new Uint8Array(await f.arrayBuffer()) as Bytes
    if (f.name.endsWith('.bin')) { // a genesis file: what it hashes to is shown, and taken if its founders have signed it
      const a = await check(raw, '', { ask: 'genesis' })
      if (a.kind === 'genesis') { setOwn(a.hash); return change(d.id, { answer: a }) }
      return change(d.id, { trouble: t('verify.badGenesis') })
    }
    const head = new TextDecoder().decode(raw.subarray(0, 21))
    if (head.startsWith('mulian-checkpoint-v1')) {
      setCheckpoint(new TextDecoder().decode(raw))
      return change(d.id, { trouble: undefined, answer: { id: 0, kind: 'genesis', hash: '' } })
    }
    const answer = await check(raw, genesis, { checkpoint, progress: (done, all) => change(d.id, { progress: [done, all] }) })
    change(d.id, answer.kind === 'failed' ? { trouble: answer.text } : { answer })
  }
  const take = async (files: FileList | null) => { for (const f of [...(files ?? [])].slice(0, MAX_FILES)) await one(f) }
  useEffect(() => { if (state === 'ready' && usable) for (const f of takeHanded()) void one(f) }, [state, usable])
  const drop = (e: DragEvent) => { e.preventDefault(); setOver(false); if (usable) void take(e.dataTransfer.files) }
  return (
    <>
      <div className="titles"><h1>{t('verify.title')}</h1><span className={`pill ${state === 'ready' ? 'green' : state === 'failed' ? 'red' : 'grey'}`} data-state={state}>{t(`verify.${state}`)}</span></div>
      <section className={over ? 'card drop over' : 'card drop'} aria-label={t('verify.zone')} onDragOver={(e) => { e.preventDefault(); setOver(true) }} onDragLeave={() => setOver(false)} onDrop={drop}>
        <div className="state">
          <InboxOutlined className="big" />
          <h2>{t('verify.zone')}</h2>
          <p className="second">{t('verify.kinds')}</p>
          <p className="actions"><Button type="primary" disabled={!usable || state !== 'ready'} onClick={() => input.current?.click()}>{t('verify.pick')}</Button></p>
          <input ref={input} type="file" multiple hidden aria-label={t('verify.pick')} data-testid="file" onChange={(e) => { void take(e.target.files); e.target.value = '' }} />
        </div>
      </section>
      <div aria-live="polite" className="sheet">
        {list.map((d) => <Result key={d.id} dropped={d} />)}
      </div>
      <section className="card" aria-label={t('verify.from')}>
        <header><h2>{t('verify.from')}</h2></header>
        <div className="body sheet">
          <label className="field">{t('verify.genesis')}
            <Input className="mono" value={own ?? mine.hash} maxLength={64} status={usable ? '' : 'error'} spellCheck={false} onChange={(e) => setOwn(e.target.value)} data-testid="genesis" />
          </label>
          {!usable && <p className="note red" role="alert">{t('verify.badHash')}</p>}
          {checkpoint && <p className="note">{t('verify.checkpoint')} <Button size="small" type="text" onClick={() => setCheckpoint(undefined)}>{t('clear')}</Button></p>}
          <p className={usable && genesis === mine.hash && mine.compared ? 'note green' : 'note amber'}>
            {t(usable && genesis === mine.hash && mine.compared ? 'verify.compared' : 'verify.compare')}{' '}
            {usable && !(genesis === mine.hash && mine.compared) && <Button size="small" type="text" onClick={() => trust(here.chainId, genesis)}>{t('anchor.mark')}</Button>}
            {own !== undefined && own !== mine.hash && <Button size="small" type="text" onClick={() => setOwn(undefined)}>{t('verify.back')}</Button>}
          </p>
        </div>
      </section>
    </>
  )
}

function Result({ dropped: d }: { dropped: Dropped }) {
  const { t } = useTranslation('trace')
  const a = d.answer
  return (
    <section className="card" aria-label={d.name} data-file={d.name} data-result={d.trouble ? 'fails' : !a ? 'busy' : a.kind === 'pack' || a.kind === 'proof' ? (a.report.ok ? 'holds' : 'fails') : 'taken'}>
      <header><h2>{d.name}</h2><span className="second">{t('verify.size', { kb: amount(Math.ceil(d.bytes / 1024)) })}</span></header>
      <div className="body sheet">
        {d.trouble && <p className="note red" role="alert"><CloseCircleOutlined /> {d.trouble}</p>}
        {!d.trouble && !a && <p><LoadingOutlined /> {d.progress ? t('checking', { done: d.progress[0], all: d.progress[1] }) : t('verify.busy')}</p>}
        {a?.kind === 'proof' && <><Verdict report={a.report} />{a.report.code === 12011 && <p className="note amber">{t('verify.wrongChain')}</p>}</>}
        {a?.kind === 'pack' && <Pack report={a.report} />}
        {a?.kind === 'genesis' && <p className="note green"><CheckCircleOutlined /> {a.hash ? t('verify.tookGenesis') : t('verify.checkpoint')} <code>{a.hash}</code></p>}
      </div>
    </section>
  )
}

function Pack({ report: r }: { report: PackReport }) {
  const { t, i18n } = useTranslation('trace')
  const zh = i18n.language.startsWith('zh')
  return (
    <>
      {r.ok
        ? <p className="note green"><CheckCircleOutlined /> {r.evidence ? t(r.original ? 'verify.evidenceWhole' : 'verify.evidenceHolds', { name: r.evidence.name, at: exact(r.evidence.atMs), height: amount(r.evidence.height) }) : t('verify.packHolds', { steps: r.steps?.length ?? 0 })}</p>
        : <p className="note red" role="alert"><CloseCircleOutlined /> {t('verify.packFails')} {t(`pack.${r.why}`, { file: r.field })}</p>}
      {r.proof && <p><strong>{t(`steps.${r.proof.step ?? 'form'}`)}</strong> · {r.proof.reason} · <code>{r.proof.field}</code></p>}
      <ol className="checks">
        {r.checks.map((c) => <li key={c.step}><CheckCircleOutlined className="green" /> <strong>{t(`parts.${c.step}`)}</strong> <span className="second">{t(`partHolds.${c.step}`, { n: c.count })}</span></li>)}
        {!r.ok && <li><CloseCircleOutlined className="red" /> <strong>{t(`parts.${r.step}`)}</strong> <code>{r.field}</code></li>}
      </ol>
      {r.ok && (
        <dl className="facts">
          <dt>{t('proof.about')}</dt><dd><code>{r.object}</code></dd>
          <dt>{t('verify.chain')}</dt><dd>{r.chain} · {t('height', { height: amount(r.height) })} · {t('holds.validators', { power: r.power?.replace(' of ', '/'), sm2: r.sm2?.replace(' of ', '/') })}</dd>
        </dl>
      )}
      {r.ok && r.complete === false && <p className="note amber">{t('incomplete')}</p>}
      {r.ok && r.steps && (
        <details open>
          <summary>{t('verify.steps', { n: r.steps.length })}</summary>
          <ol className="line">{r.steps.map((s) => <li key={s.seq}>{zh ? s.zh : s.en}<small>{exact(Date.parse(s.act.time))} · {t('height', { height: amount(Number(s.act.height)) })} · <code>{s.act.verb}</code> · {s.act.actor || t('ledger')}</small></li>)}</ol>
          <p className="second">{t('verify.sentences')}</p>
        </details>
      )}
    </>
  )
}
