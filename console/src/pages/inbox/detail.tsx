// One request as an officer has to see it, and the answers that he can sign.
import { CheckOutlined, CloseOutlined } from '@ant-design/icons'
import { useQueries } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Input, Modal, Select } from 'antd'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Method } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { type Request, RequestState as S } from '@/gen/mulian/share/v1/share_pb'
import { account, duty, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rare } from '@/chain/rare'
import { amount } from '@/chain/words'
import { State } from '@/parts/object'
import { ProofDrawer } from '@/parts/proof'
import { useSign } from '@/parts/sign'
import { typing } from '@/parts/table'
import { useWho } from '@/shell/who'
import { Urgings } from '../deeds/urge'
import { getEntry, judge } from './requests'

const tones = { [S.UNSPECIFIED]: 'grey', [S.RECEIVED]: 'blue', [S.INCOMPLETE]: 'amber', [S.ACCEPTED]: 'green', [S.REFUSED]: 'red', [S.WITHDRAWN]: 'grey' } as const

export function RequestState({ request }: { request: Request }) {
  const { t } = useTranslation('inbox')
  return <State words={t(`state.${S[request.state]}`)} tone={tones[request.state]} />
}

const STEPS = ['filed', 'answered', 'confirmed', 'delivered', 'used'] as const

export function RequestDetail({ request }: { request: Request }) {
  const { t } = useTranslation('inbox')
  const terms = request.terms!
  const name = useNames([account(request.requester), account(request.gateway), duty(terms.duty), ...terms.parts.map((p) => entry(p.entry))])
  const read = useQueries({ queries: terms.parts.map((p) => getEntry(p.entry)) })
  const entries = read.map((q) => q.data?.entry)
  const checks = judge(request, entries)
  const at = request.state === S.ACCEPTED ? 2 : request.state === S.RECEIVED || request.state === S.INCOMPLETE ? 1 : -1
  return (
    <div className="sheet">
      <Urgings request={request} />
      {at > 0 && <ol className="steps" aria-label={t('steps.label')}>{STEPS.map((s, i) => <li key={s} className={i < at ? 'done' : i === at ? 'now' : ''} aria-current={i === at ? 'step' : undefined}><b>{i < at ? <CheckOutlined /> : i + 1}</b>{t(`steps.${s}`)}</li>)}</ol>}
      <dl className="facts">
        <dt>{t('fact.requester')}</dt><dd><Link to={pathOf(account(request.requester))}>{name(account(request.requester))}</Link></dd>
        <dt>{t('fact.duty')}</dt><dd><Link to={pathOf(duty(terms.duty))}>{name(duty(terms.duty))}</Link></dd>
        <dt>{t('fact.purpose')}</dt><dd>{rare(terms.purpose)}</dd>
        {terms.legalBasis && <><dt>{t('fact.basis')}</dt><dd>{terms.legalBasis}</dd></>}
        <dt>{t('fact.items')}</dt>
        <dd>{terms.parts.map((p, i) => (
          <span key={p.entry} className="two">
            <Link to={pathOf(entry(p.entry))}>{name(entry(p.entry))}</Link>
            <small>{p.items.map((c) => entries[i]?.items.find((it) => it.code === c)?.name ?? c).join('、')} {entries[i] && t('fact.of', { n: p.items.length, total: entries[i]!.items.length })}</small>
          </span>
        ))}</dd>
        <dt>{t('fact.term')}</dt>
        <dd>{[t(`method.${Method[terms.method]}`), terms.days ? t('fact.days', { n: terms.days }) : t('fact.daysDefault'), terms.maxCallsPerDay ? t('fact.perDay', { n: amount(terms.maxCallsPerDay) }) : '', terms.dataLifeDays ? t('fact.life', { n: terms.dataLifeDays }) : ''].filter(Boolean).join(' · ')}</dd>
        {request.gateway && <><dt>{t('fact.to')}</dt><dd>{name(account(request.gateway))} <code className="second">{request.gateway.split('/').slice(1).join('/')}</code></dd></>}
        {request.missing.length > 0 && <><dt>{t('fact.missing')}</dt><dd>{request.missing.join('；')}</dd></>}
        {request.reason && <><dt>{t('fact.reason')}</dt><dd>{request.reason}</dd></>}
      </dl>
      {(request.state === S.RECEIVED || request.state === S.INCOMPLETE) && checks && (
        <div className={checks.every((c) => c.holds) ? 'note' : 'note amber'}>
          <strong>{t('checks.title')}</strong>
          {checks.map((c) => <div key={c.what}>{c.holds ? <CheckOutlined /> : <CloseOutlined />} {t(`checks.${c.what}.${c.holds ? 'yes' : 'no'}`)}</div>)}
        </div>
      )}
    </div>
  )
}

/** Answer is what a provider's officer may sign on a request; keys lets A and R do it. */
export function Answer({ request, keys = false }: { request: Request; keys?: boolean }) {
  const { t } = useTranslation('inbox')
  const { signer } = useWho()
  const sign = useSign()
  const [returning, setReturning] = useState(false)
  const [proof, setProof] = useState(false)
  const may = signer?.org === request.provider && request.state === S.RECEIVED
  const authorise = () => void sign({ title: t('authorise'), about: request.terms?.matter || request.terms?.purpose, acts: [{ case: 'answer', value: { request: request.id, accept: true } }] })
  const latest = useRef(authorise)
  latest.current = authorise
  useEffect(() => {
    if (!keys || !may) return
    const press = (e: KeyboardEvent) => {
      if (typing(e) || localStorage.getItem('mulian.letters') === 'off' || document.querySelector('[role=dialog]')) return
      if (e.key === 'a' || e.key === 'A') { e.preventDefault(); latest.current() }
      if (e.key === 'r' || e.key === 'R') { e.preventDefault(); setReturning(true) }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [keys, may])
  return (
    <p className={keys ? 'actions foot' : 'actions'}>
      {may && <><Button type="primary" onClick={authorise} data-testid="authorise">{t('authorise')}{keys && <kbd aria-hidden style={{ background: 'transparent', color: 'inherit', borderColor: 'currentColor' }}>A</kbd>}</Button>
        <Button onClick={() => setReturning(true)}>{t('return')}</Button></>}
      <Button type="text" onClick={() => setProof(true)}>{t('proof')}</Button>
      {returning && <Return request={request} close={() => setReturning(false)} />}
      <ProofDrawer object={proof ? `share/request/${request.id}` : undefined} close={() => setProof(false)} />
    </p>
  )
}

const CAUSES = ['purpose', 'items', 'duty', 'drift', 'other'] as const

function Return({ request, close }: { request: Request; close: () => void }) {
  const { t } = useTranslation('inbox')
  const { t: shell } = useTranslation('shell')
  const sign = useSign()
  const draftKey = `mulian.draft.return.${request.id}`
  const [kind, setKind] = useState<'refuse' | 'more'>('refuse')
  const [cause, setCause] = useState<(typeof CAUSES)[number]>('purpose')
  const [text, setText] = useState(localStorage.getItem(draftKey) ?? '')
  const write = (v: string) => { setText(v); localStorage.setItem(draftKey, v) }
  const again = request.supplements > 0
  const go = async () => {
    close()
    const words = [kind === 'refuse' ? t(`cause.${cause}`) : '', text.trim()].filter(Boolean).join('：')
    const done = await sign(kind === 'refuse'
      ? { title: t('refuse'), acts: [{ case: 'answer', value: { request: request.id, accept: false, reason: words } }] }
      : { title: t('askMore'), acts: [{ case: 'askMore', value: { request: request.id, missing: text.split('\n').map((l) => l.trim()).filter(Boolean) } }] })
    if (done) localStorage.removeItem(draftKey)
  }
  return (
    <Modal open title={t('return')} onCancel={close} okText={t('next')} cancelText={shell('cancel')} onOk={() => void go()} okButtonProps={{ disabled: kind === 'more' && text.trim() === '' }}>
      <div className="sheet">
        <label className="field">{t('kindLabel')}<Select value={kind} onChange={setKind} aria-label={t('kindLabel')} options={[{ value: 'refuse', label: t('refuse') }, { value: 'more', label: t('askMore'), disabled: again }]} /></label>
        {kind === 'refuse' && <label className="field">{t('causeLabel')}<Select value={cause} onChange={setCause} aria-label={t('causeLabel')} options={CAUSES.map((c) => ({ value: c, label: t(`cause.${c}`) }))} /></label>}
        <label className="field">{kind === 'refuse' ? t('reasonLabel') : t('missingLabel')}<Input.TextArea value={text} onChange={(e) => write(e.target.value)} rows={4} maxLength={500} showCount /></label>
        <p className="second">{kind === 'refuse' ? t('refuseText') : t('askMoreText')}</p>
      </div>
    </Modal>
  )
}
