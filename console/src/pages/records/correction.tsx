// The page of a correction 校核: somebody says that a value is wrong, its department looks, and
// everybody who holds it puts it right. Which row it is, only the two gateways can read.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Correction, CorrectionSchema, CorrectionState as S } from '@/gen/mulian/share/v1/life_pb'
import { hex } from '@/chain/bytes'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { Command } from '@/parts/command'
import { Copy } from '@/parts/copy'
import { ObjectPage, State } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { readObject } from '../catalogue/reads'
import { type Deed, type Field, More, useAuthority } from '../deeds/more'
import { getEntry } from '../inbox/requests'
import { type Step, stepsOf } from './steps'

const tones = { [S.UNSPECIFIED]: 'grey', [S.FILED]: 'blue', [S.ACKNOWLEDGED]: 'blue', [S.CONFIRMED]: 'amber', [S.REJECTED]: 'red', [S.CORRECTED]: 'green', [S.FANNED_OUT]: 'green', [S.CLOSED]: 'grey' } as const
// What gateways' people type: which row it is, and that a copy was put right.
const commands: Partial<Record<S, string>> = { [S.FILED]: 'match ID', [S.ACKNOWLEDGED]: 'match ID', [S.CORRECTED]: 'apply ID AGREEMENT' }
const REASON = 500 // characters, as rules/share has them
const NOTE = 1000

export default function CorrectionPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(CorrectionSchema, `share/correction/${id}`))}>{(c) => <Page c={c} />}</Loaded>
}

function Page({ c }: { c: Correction }) {
  const { t } = useTranslation('records')
  const name = useNames([entry(c.entry), account(c.filedBy), account(c.provider)])
  const read = useQuery(getEntry(c.entry))
  const open = [S.FILED, S.ACKNOWLEDGED, S.CONFIRMED].includes(c.state)
  const item = c.item ? (read.data?.entry?.items.find((i) => i.code === c.item)?.name ?? c.item) : t('wholeRow')
  const steps = stepsOf(c)
  const words: Record<Step['id'], string> = {
    filed: t('step.filed', { who: name(account(c.filedBy)) }), rejected: t('step.rejected', { why: c.reason }), corrected: c.correctedMs > 0n ? t('step.corrected', { note: c.note }) : t('step.toCorrect'),
    applied: t('step.applied', { n: amount(c.applied), of: amount(c.holders) }), noHolder: t('step.noHolder'), closed: t('step.closed'),
  }
  const next = steps.findIndex((s) => !s.done)
  const waits = c.state === S.FANNED_OUT && c.applied < c.holders ? S.CORRECTED : c.state // for holders
  const command = commands[waits]
  return (
    <ObjectPage
      object={`share/correction/${c.id}`} number={c.id} title={t('correctionOf', { what: name(entry(c.entry)) })} schema={CorrectionSchema} value={c}
      state={<State words={t(`correction.${S[c.state]}`)} tone={tones[c.state]} />} clock={open && c.clock ? <Clock dueMs={c.clock.dueMs} totalMs={Number(c.clock.dueMs - c.clock.startedMs)} /> : undefined}
      action={<Deeds c={c} />} relations={[entry(c.entry), account(c.filedBy), account(c.provider)]}
      overview={
        <>
          <dl className="facts">
            <dt>{t('entry')}</dt><dd><Link to={pathOf(entry(c.entry))}>{name(entry(c.entry))}</Link> · {t('version', { n: String(c.entryVersion) })}</dd>
            <dt>{t('item')}</dt><dd>{item}</dd>
            <dt>{t('row')}</dt><dd>{c.row.length > 0 ? <>{t('oneRow')} <span className="mono">{hex(c.row).slice(0, 16)}…</span> <Copy text={hex(c.row)} /></> : t('allRows')}</dd>
            <dt>{t('wrong')}</dt><dd>{c.statement}</dd>
            <dt>{t('filedBy')}</dt><dd><Link to={pathOf(account(c.filedBy))}>{name(account(c.filedBy))}</Link></dd>
            <dt>{t('provider')}</dt><dd><Link to={pathOf(account(c.provider))}>{name(account(c.provider))}</Link></dd>
            {c.evidenceHash.length > 0 && <><dt>{t('paper')}</dt><dd><span className="mono">{hex(c.evidenceHash).slice(0, 16)}…</span> <Copy text={hex(c.evidenceHash)} /></dd></>}
            {c.closedMs > 0n && <><dt>{t('result')}</dt><dd>{t(c.solved ? 'solved' : 'notSolved')}{c.score > 0 && ` · ${c.score}/5`}{c.feedback && ` · ${c.feedback}`}</dd></>}
          </dl>
          <h2 style={{ marginTop: 16 }}>{t('way')}</h2>
          <ol className="line">{steps.map((s, i) => <li key={s.id} aria-current={i === next ? 'step' : undefined}>{words[s.id]}{s.at > 0n && <small>{moment(s.at)}</small>}{i === next && <> <State words={t('here')} /></>}</li>)}</ol>
          <p style={{ marginTop: 12 }}>{t(`next.${S[waits]}`)}</p>
          {command && (c.row.length > 0 || !command.startsWith('match')) && <><p className="second">{t(command.startsWith('match') ? 'whichRow' : 'ownCopy')}</p><Command text={`mulian share correction ${command.replace('ID', c.id)}`} /></>}
        </>
      }
    />
  )
}

function Deeds({ c }: { c: Correction }) {
  const { t } = useTranslation('records')
  const { signer } = useWho()
  const authority = useAuthority()
  if (!signer?.org) return null
  const provider = signer.org === c.provider
  const filer = signer.org === c.filedBy
  const early = c.state === S.FILED || c.state === S.ACKNOWLEDGED
  const answer = (verb: 'acknowledge' | 'confirm' | 'reject', to: S, fields?: Field[]): Deed => ({
    id: verb, label: t(`do.${verb}.title`), text: t(`do.${verb}.text`), fields, act: (v) => ({ case: 'answerCorrection', value: { correction: c.id, answer: to, reason: v.reason ?? '' } }),
  })
  const over = c.state === S.REJECTED || (c.state === S.FANNED_OUT && c.applied >= c.holders)
  const mark: Field[] = filer && !provider && over ? [{ name: 'score', label: t('do.score'), kind: 'number', most: 5, optional: true }] : []
  const close = (solved: boolean): Deed => ({
    id: solved ? 'solved' : early ? 'withdraw' : 'unsolved', label: t(solved ? 'do.solved.title' : early ? 'do.withdraw.title' : 'do.unsolved.title'), text: t(solved ? 'do.solved.text' : early ? 'do.withdraw.text' : 'do.unsolved.text'), danger: early,
    fields: [...mark, { name: 'feedback', label: t('do.feedback'), most: NOTE, optional: true }],
    act: (v) => ({ case: 'closeCorrection', value: { correction: c.id, solved, score: Number(v.score ?? 0), feedback: v.feedback ?? '' } }),
  })
  const closes = authority ? c.state !== S.CORRECTED && c.state !== S.CLOSED : filer && (early || over)
  const deeds: (Deed | false)[] = [
    (provider || authority) && early && answer('confirm', S.CONFIRMED),
    (provider || authority) && early && answer('reject', S.REJECTED, [{ name: 'reason', label: t('do.reason'), most: REASON }]),
    (provider || authority) && c.state === S.FILED && answer('acknowledge', S.ACKNOWLEDGED),
    provider && c.state === S.CONFIRMED && { id: 'complete', label: t('do.complete.title'), text: t('do.complete.text'), fields: [{ name: 'note', label: t('do.note'), most: NOTE }], act: (v) => ({ case: 'completeCorrection', value: { correction: c.id, note: v.note ?? '' } }) },
    closes && !early && close(true), closes && close(false),
  ]
  const all = deeds.filter((x): x is Deed => !!x)
  const first = all.find((x) => (provider && (x.id === 'confirm' || x.id === 'complete')) || (filer && x.id === 'solved'))
  return <More first={first} deeds={all.filter((x) => x !== first)} />
}
