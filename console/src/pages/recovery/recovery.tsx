// The page of one recovery: who has vouched, from which desk, until when the holder can stop it.
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { FaceResult, type Recovery, RecoveryPath, RecoverySchema, RecoveryState as S } from '@/gen/mulian/recovery/v1/recovery_pb'
import { hex } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { numberOf } from '../../box/newkey'
import { readObject } from '../catalogue/reads'
import { type Deed, More } from '../deeds/more'
import { MAX_CAUSE, useDesk } from './desk'
import { live, may } from './rights'
import { tones } from './recoveries'
import { Seen } from './seen'

export default function RecoveryPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(RecoverySchema, `recovery/recovery/${id}`))}>{(r) => <Page r={r} />}</Loaded>
}

function Page({ r }: { r: Recovery }) {
  const { t } = useTranslation('recovery')
  const name = useNames([...r.approvals.flatMap((a) => [account(a.by), account(a.desk)]), ...r.reviewers.map(account)].filter(Boolean))
  const k = r.newKey
  const number = useQuery({ queryKey: ['recovery', 'number', k?.id], enabled: !!k, queryFn: () => numberOf({ account: r.account, id: k!.id, point: k!.publicKey }) })
  return (
    <ObjectPage
      object={`recovery/recovery/${r.id}`} number={r.id} title={t('one')} state={<State words={t(`states.${S[r.state]}`)} tone={tones[r.state]} />}
      clock={live(r) && r.dueMs ? <Clock dueMs={r.dueMs} totalMs={Number(r.dueMs - (r.lockedMs || r.openedMs))} /> : undefined}
      action={<Deeds r={r} />} schema={RecoverySchema} value={r} relations={[account(r.account), ...r.approvals.map((a) => account(a.by))]}
      overview={
        <>
          <p style={{ marginBottom: 12 }}>{t(`then.${S[r.state]}`, { at: moment(r.dueMs || r.endedMs) })}</p>
          <dl className="facts">
            <dt>{t('account')}</dt><dd className="mono">{r.account}</dd>
            <dt>{t('path')}</dt><dd>{t(`paths.${RecoveryPath[r.path]}`)}</dd>
            <dt>{t('number')}</dt><dd className="mono" style={{ fontSize: 22 }}>{number.data}</dd>
            <dt>{t('newKey')}</dt><dd><code>{k?.id}</code></dd>
            <dt>{t('opened')}</dt><dd>{moment(r.openedMs)}</dd>
            {r.lockedMs > 0n && <><dt>{t('locked')}</dt><dd>{moment(r.lockedMs)}</dd></>}
            {r.endedMs > 0n && <><dt>{t('ended')}</dt><dd>{moment(r.endedMs)}</dd></>}
            {r.cause && <><dt>{t('cause')}</dt><dd>{r.cause}</dd></>}
          </dl>
          <h2 style={{ marginTop: 16 }}>{t('vouchedOf', { n: r.approvals.length, of: r.needed })}</h2>
          <ol className="line">{r.approvals.map((a) => (
            <li key={a.by}><strong>{a.desk ? name(account(a.desk)) : t('friend')}</strong>
              <small>{a.desk ? `${name(account(a.by))} · ${t(`faces.${FaceResult[a.face]}`)} · ` : ''}{moment(a.atMs)}{a.evidence.length > 0 && <> · {t('evidence')} <code>{hex(a.evidence).slice(0, 16)}…</code></>}</small></li>
          ))}</ol>
          {r.reviewers.length > 0 && <p>{t(r.reviewProceeds ? 'reviewGoes' : 'reviewEnds', { who: r.reviewers.map((x) => name(account(x))).join('、'), n: r.reviewers.length })}</p>}
          <Vouch r={r} />
        </>
      }
    />
  )
}

/** Vouch is for the second desk: it compares for itself. */
function Vouch({ r }: { r: Recovery }) {
  const { t } = useTranslation('recovery')
  const sign = useSign()
  const { signer } = useWho()
  const { desk } = useDesk()
  const m = may(r, signer?.account ?? '', desk)
  if (!desk || r.state !== S.OPEN || r.path !== RecoveryPath.COUNTER) return null
  if (!m.vouch) return <p className="note">{t('ownDesk')}</p>
  return (
    <section aria-labelledby="vouch"><h2 id="vouch" style={{ marginTop: 16 }}>{t('secondTitle')}</h2><p>{t('vouchHow')}</p>
      <Seen about={r.account} label={t('vouch')} sign={(c) => void sign({ title: t('vouch'), about: r.account, acts: [{ case: 'approveRecovery', value: { recovery: r.id, evidence: c.evidence, face: c.face } }] })} />
    </section>
  )
}

function Deeds({ r }: { r: Recovery }) {
  const { t } = useTranslation('recovery')
  const { signer } = useWho()
  const { desk } = useDesk()
  const m = may(r, signer?.account ?? '', desk)
  const cause = [{ name: 'cause', label: t('causeNeeded'), most: MAX_CAUSE }]
  const review = (proceed: boolean): Deed => ({
    id: proceed ? 'proceed' : 'stop', label: t(proceed ? 'review.proceed' : 'review.stop'), text: t(proceed ? 'review.proceedText' : 'review.stopText'), danger: true, fields: cause,
    act: (v) => ({ case: 'reviewRecovery', value: { recovery: r.id, proceed, cause: v.cause ?? '' } }),
  })
  const said = r.reviewers.length > 0 // the second has to say what the first has said
  const deeds: Deed[] = [
    ...(m.review && (!said || r.reviewProceeds) ? [review(true)] : []),
    ...(m.review && (!said || !r.reviewProceeds) ? [review(false)] : []),
    ...(m.cancel ? [{ id: 'cancel', label: t('cancelIt'), text: t('cancelText'), danger: true, fields: cause, act: (v: Record<string, string>) => ({ case: 'cancelRecovery', value: { recovery: r.id, cause: v.cause ?? '' } }) } satisfies Deed] : []),
  ]
  return <More deeds={deeds} />
}
