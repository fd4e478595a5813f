// The life of one thing: each step with who signed it, its height, and the mark of the check
// that this page has made itself. The pack that is checked is the pack that is saved.
import { CheckCircleOutlined, CloseCircleOutlined, ExportOutlined, LoadingOutlined, SafetyCertificateOutlined } from '@ant-design/icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Button, Drawer, Select, Spin } from 'antd'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService, type ExportTraceResponse } from '@/gen/mulian/console/v1/query_pb'
import { type TraceStep, TraceService } from '@/gen/mulian/trace/v1/query_pb'
import { type Bytes, hex, short } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { kindOf, pathOf } from '@/chain/paths'
import { askAgainAfter, missing, rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { check, hand, save, useTrust } from '@/check/check'
import type { Mark, PackReport } from '@/check/pack'
import { Anchor, Proof, Verdict } from '@/parts/proof'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { typing, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { stageOf, stages } from './stages'
import { day, SearchBox } from './trace'

interface Checked { made: ExportTraceResponse; report: PackReport }

/** usePack asks for the pack of an object and checks it here. */
function usePack(id: string, hash: string, progress: (done: number, all: number) => void) {
  const { i18n } = useTranslation()
  return useQuery<Checked>({
    queryKey: ['pack', id, hash, i18n.language], staleTime: Infinity, retry: (n, err) => n < (missing(err) ? 1 : 2), retryDelay: (n, err) => (missing(err) ? askAgainAfter(n, err) : 2000),
    queryFn: async () => {
      const made = await rpc(ConsoleService).exportTrace({ object: id })
      const a = await check(made.zip as Bytes, hash, { progress })
      if (a.kind !== 'pack') throw new Error(a.kind === 'failed' ? a.text : a.kind)
      return { made, report: a.report }
    },
  })
}

export default function TraceOf() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <One key={id} id={id} />
}

function One({ id }: { id: string }) {
  const { t } = useTranslation('trace')
  const { here } = useWho()
  const client = useQueryClient()
  const mine = useTrust(here.chainId, hex(here.genesisHash))
  const [progress, setProgress] = useState<[number, number]>([0, 0])
  const steps = useQuery({ queryKey: [id, 'steps'], queryFn: () => rpc(TraceService).trace({ object: id, limit: 100 }) })
  const pack = usePack(id, mine.hash, (done, all) => setProgress([done, all]))
  const [proof, setProof] = useState<TraceStep>()
  const told = steps.data?.steps, marks = pack.data?.report.marks
  useEffect(() => { // what happened since is proved, too
    if (told && marks && told.length > marks.length) void client.invalidateQueries({ queryKey: ['pack', id] })
  }, [told, marks, client, id])
  const name = useNames([id])
  const mark = (s: TraceStep): Mark | undefined => marks?.find((m) => m.seq === String(s.seq))
  const shown = proof && mark(proof)
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <SearchBox first={id.split('/').length > 2 ? id.split('/').slice(2).join('/') : id} />
      <div className="split">
        <section className="card" aria-label={t('life', { name: name(id) || short(id) })}>
          <header>
            <h2>{t('life', { name: name(id) || short(id) })}</h2>
            {id.includes('/') && <Link to={pathOf(id)}>{t('open', { kind: t(`shell:kinds.${kindOf(id)}`).toLowerCase() })}</Link>}
            {id.startsWith('catalogue/entry/') && <Link to="/trace/compare" search={{ entry: id.slice('catalogue/entry/'.length) } as never}>{t('compare.link')}</Link>}
          </header>
          <Loaded query={steps} rows={8}>{(d) => <Timeline steps={d.steps} next={d.next} mark={mark} busy={pack.isPending} pick={setProof} />}</Loaded>
        </section>
        {!(steps.isError && missing(steps.error)) && <Side id={id} pack={pack} progress={progress} />}
      </div>
      <Drawer open={!!proof} title={t('proof.title')} onClose={() => setProof(undefined)} size={520}>
        {proof && (shown ? <div className="sheet"><p>{proof.title}</p><Verdict report={shown.report} /><Anchor /></div> : <Proof object={`event:${proof.seq}`} />)}
      </Drawer>
    </>
  )
}

interface TimelineProps { steps: TraceStep[]; next: string; mark: (s: TraceStep) => Mark | undefined; busy: boolean; pick: (s: TraceStep) => void }

function Timeline({ steps, next, mark, busy, pick }: TimelineProps) {
  const { t } = useTranslation('trace')
  const [address, change] = useAddress({ stage: '', actor: '', object: '', from: '', to: '' })
  const name = useNames([...steps.map((s) => account(s.event!.actor)), ...steps.flatMap((s) => s.event!.objects)])
  const count = (stage: string) => steps.filter((s) => stageOf(s.event!.verb) === stage).length
  const of = (list: string[]) => [...new Set(list)].filter(Boolean)
  const actors = of(steps.map((s) => s.event!.actor)), objects = of(steps.flatMap((s) => s.event!.objects)).filter((k) => k.startsWith('catalogue/entry/') || k.startsWith('share/'))
  const from = day(address.from), to = day(address.to, 1)
  const shown = steps.filter((s) => {
    const e = s.event!, at = Number(e.timeMs)
    return (!address.stage || stageOf(e.verb) === address.stage) && (!address.actor || e.actor === address.actor) && (!address.object || e.objects.includes(address.object)) && (!from || at >= from) && (!to || at < to)
  })
  return (
    <div className="body sheet">
      <div className="actions" role="group" aria-label={t('filters')}>
        {stages.filter((s) => count(s) > 0).map((s) => (
          <Button key={s} size="small" type={address.stage === s ? 'primary' : 'default'} aria-pressed={address.stage === s} onClick={() => change({ stage: address.stage === s ? '' : s })}>
            {t(`stages.${s}`)} {count(s)}
          </Button>
        ))}
      </div>
      <div className="actions">
        <Select size="small" aria-label={t('filter.actor')} placeholder={t('filter.actor')} allowClear style={{ width: 180 }} value={address.actor || undefined} onChange={(v?: string) => change({ actor: v ?? '' })} options={actors.map((a) => ({ value: a, label: name(account(a)) || a }))} />
        <Select size="small" aria-label={t('filter.object')} placeholder={t('filter.object')} allowClear style={{ width: 220 }} value={address.object || undefined} onChange={(v?: string) => change({ object: v ?? '' })} options={objects.map((k) => ({ value: k, label: name(k) || k }))} />
        <label className="day">{t('filter.from')} <input type="date" value={address.from} onChange={(e) => change({ from: e.target.value })} /></label>
        <label className="day">{t('filter.to')} <input type="date" value={address.to} onChange={(e) => change({ to: e.target.value })} /></label>
        {Object.values(address).some(Boolean) && <Button size="small" onClick={() => change({ stage: '', actor: '', object: '', from: '', to: '' })}>{t('clear')}</Button>}
      </div>
      {shown.length === 0 ? <Empty text={t('emptyFiltered')} /> : (
        <ol className="line" aria-label={t('timeline')}>
          {shown.map((s) => {
            const e = s.event!, m = mark(s), tx = hex(e.txId)
            return (
              <li key={String(s.seq)} data-step={String(s.seq)} data-ok={m ? String(m.ok) : undefined}>
                <strong>{t(`stages.${stageOf(e.verb)}`)}</strong>　{s.title}
                <small>
                  {exact(e.timeMs)} · <Link to={`/block/${e.height}`}>{t('height', { height: amount(e.height) })}</Link>
                  {tx && <> · <Link to={`/tx/${tx}`} className="mono">{short(tx)}</Link></>}
                  {' · '}{e.actor ? <>{t('signer')} <Link to={pathOf(account(e.actor))}>{name(account(e.actor)) || e.actor}</Link>{m?.signer && <> {t(`algorithms.${m.signer.algorithm}`)} <code>{short(m.signer.key)}</code></>}</> : t('ledger')}
                </small>
                <MarkOf mark={m} busy={busy} pick={() => pick(s)} />
              </li>
            )
          })}
        </ol>
      )}
      {next && <p className="note amber">{t('moreSteps')}</p>}
    </div>
  )
}

/** MarkOf is what the check of one step came to; it opens the checks. */
function MarkOf({ mark, busy, pick }: { mark?: Mark; busy: boolean; pick: () => void }) {
  const { t } = useTranslation('trace')
  if (!mark && busy) return <span className="pill grey"><LoadingOutlined />{t('mark.busy')}</span>
  if (!mark) return <Button size="small" onClick={pick}>{t('mark.none')}</Button>
  return (
    <button type="button" className={`pill ${mark.ok ? 'green' : 'red'} mark`} onClick={pick}>
      {mark.ok ? <CheckCircleOutlined /> : <CloseCircleOutlined />}{mark.ok ? t('mark.ok', { power: mark.power?.replace(' of ', '/') }) : t('mark.bad')}
    </button>
  )
}

function Side({ id, pack, progress }: { id: string; pack: ReturnType<typeof usePack>; progress: [number, number] }) {
  const { t } = useTranslation('trace')
  const { here } = useWho()
  const mine = useTrust(here.chainId, hex(here.genesisHash))
  const r = pack.data?.report, made = pack.data?.made
  const good = r?.marks?.filter((m) => m.ok).length ?? 0
  const [saved, setSaved] = useState('')
  const out = () => {
    if (!made || !r?.ok) return
    save(made.name, made.zip as Bytes, 'application/zip')
    setSaved(made.name)
  }
  useEffect(() => {
    const press = (e: KeyboardEvent) => { if (e.key === 'e' && !typing(e) && localStorage.getItem('mulian.letters') !== 'off') out() }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  })
  if (pack.isError) return <section className="card" aria-label={t('evidence')}><Trouble error={pack.error} retry={() => void pack.refetch()} /></section>
  return (
    <section className="card" aria-label={t('evidence')} data-pack={r ? (r.ok ? 'holds' : 'fails') : 'busy'}>
      <header><h2>{t('evidence')}</h2></header>
      <div className="body sheet" aria-live="polite">
        {!r || !made ? <p><Spin size="small" /> {progress[1] ? t('checking', { done: progress[0], all: progress[1] }) : t('fetching')}</p> : (
          <>
            {r.ok
              ? <p className="green"><SafetyCertificateOutlined /> {t('allHold', { good, all: r.marks?.length ?? 0 })}</p>
              : <p className="note red" role="alert"><CloseCircleOutlined /> {t('packFails', { good, all: r.marks?.length ?? 0 })} {t(`pack.${r.why}`, { file: r.field })} {r.proof?.reason}</p>}
            {r.ok && (
              <ul className="checks">
                <li>{t('holds.signatures', { n: r.signers?.length ?? 0 })} <CheckCircleOutlined className="green" aria-label={t('holds.yes')} /></li>
                <li>{t('holds.inclusion', { n: r.checks.find((c) => c.step === 'proofs')?.count ?? 0 })} <CheckCircleOutlined className="green" aria-label={t('holds.yes')} /></li>
                <li>{t('holds.validators', { power: r.power?.replace(' of ', '/'), sm2: r.sm2?.replace(' of ', '/') })} <CheckCircleOutlined className="green" aria-label={t('holds.yes')} /></li>
                <li>{t('holds.order')} <CheckCircleOutlined className="green" aria-label={t('holds.yes')} /></li>
              </ul>
            )}
            <Button type="primary" icon={<ExportOutlined />} disabled={!r.ok} data-testid="export" onClick={out}>{t('export')} <kbd aria-hidden>E</kbd></Button>
            {saved && made && (
              <div className="note green" role="status" data-testid="saved">
                <p>{t('saved')} <code>{saved}</code></p>
                <p>{t('savedThen')} <Link to="/verify" onClick={() => hand(new File([made.zip as Bytes], saved))}>{t('savedTry')}</Link></p>
              </div>
            )}
            <p className="second">{t('exportSize', { kb: amount(Math.ceil(made.zip.length / 1024)), steps: made.steps })}{!made.complete && <> {t('incomplete')}</>}</p>
            <Button onClick={() => void navigator.clipboard.writeText(`mulian verify ${made.name} --genesis-hash ${mine.hash}`)}>{t('command')}</Button>
            <p className="second">{t('cannotShow')}</p>
          </>
        )}
        <Anchor />
        <p className="second"><Link to="/verify">{t('toVerify')}</Link>{id.startsWith('share/agreement/') && <> · {t('accesses')} <code>mulian trace export {id.split('/')[2]}#1</code></>}</p>
      </div>
    </section>
  )
}
