// The page of one request to a person or firm: the code that he scans, what he reads, and as
// soon as he has answered, his answer. With a grant, how it is used.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { DataRequestSchema, DataRequestState as S } from '@/gen/mulian/grant/v1/grant_pb'
import type { GetDataRequestResponse } from '@/gen/mulian/grant/v1/query_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { date, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { Command } from '@/parts/command'
import { ObjectPage } from '@/parts/object'
import { QR } from '@/parts/qr'
import { useSign } from '@/parts/sign'
import { Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { openingKey } from './ask-owner'
import { AskedState } from './asks'
import { asked, linkOf, type Opening } from './owners'

export default function DataRequestPage() {
  const { i18n } = useTranslation('user')
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(asked(id, i18n.language))
  return <Loaded query={query}>{(d) => <Page d={d} />}</Loaded>
}

function Page({ d }: { d: GetDataRequestResponse }) {
  const { t } = useTranslation('user')
  const { signer } = useWho()
  const sign = useSign()
  const r = d.request!
  const mine = signer?.org === r.org
  const open = r.state === S.REQUESTED
  return (
    <ObjectPage
      object={`grant/request/${r.id}`} number={r.id} title={d.use?.title || t('asks')} state={<AskedState request={r} />} clock={open ? <Clock dueMs={r.notAfterMs} /> : undefined}
      action={mine && open ? <Button onClick={() => void sign({ title: t('takeBack'), danger: true, acts: [{ case: 'withdrawDataRequest', value: { request: r.id } }] })}>{t('takeBack')}</Button>
        : r.grant ? <Link to={`/grant/${r.grant}`} className="pill" data-testid="grant">{t('toGrant')}</Link> : undefined}
      overview={<Overview d={d} mine={mine} />} schema={DataRequestSchema} value={r}
      relations={[`grant/register/${r.use}`, ...(r.owner ? [account(r.owner)] : []), ...(d.use?.entry ? [entry(d.use.entry)] : []), ...(r.grant ? [`grant/grant/${r.grant}`] : [])]}
    />
  )
}

function Overview({ d, mine }: { d: GetDataRequestResponse; mine: boolean }) {
  const { t } = useTranslation('user')
  const r = d.request!
  const name = useNames([entry(d.use?.entry ?? ''), account(r.org)])
  const kept = localStorage.getItem(openingKey(r.id))
  const opening = kept ? (JSON.parse(kept) as Opening) : undefined
  const link = linkOf(r.id, opening)
  const numbered = r.matchCommitment.length > 0
  return (
    <div className="sheet">
      {r.state === S.REQUESTED && mine && numbered && !opening?.match_salt && <p className="note amber" role="status">{t('numberElsewhere')}</p>}
      {r.state === S.REQUESTED && (mine || !numbered) && (!numbered || opening?.match_salt) && (
        <section className="scan" aria-label={t('scan')}>
          <QR text={link} label={t('scan')} />
          <div className="sheet"><h2>{t('scan')}</h2><p>{t(r.owner ? 'scanOwner' : 'scanAny')}</p>{opening?.match_number && <p data-testid="number">{t('number')} <strong style={{ fontSize: 28 }}>{opening.match_number}</strong><br /><small className="second">{t('numberText')}</small></p>}<Command text={link} /><p className="second" role="status">{t('waits')}</p></div>
        </section>
      )}
      {r.state === S.GRANTED && <p className="note green" role="status">{t('agreed', { at: moment(r.decidedMs) })} <Link to={`/grant/${r.grant}`}>{t('toGrant')}</Link></p>}
      {r.state === S.DECLINED && <p className="note red" role="status">{t('declined', { at: moment(r.decidedMs) })}</p>}
      <dl className="facts">
        <dt>{t('useOf')}</dt><dd>{d.use?.title}</dd>
        <dt>{t('owner')}</dt><dd>{r.owner ? <code>{r.owner}</code> : t('whoScans')}</dd>
        {d.use?.entry && <><dt>{t('item')}</dt><dd><Link to={pathOf(entry(d.use.entry))}>{name(entry(d.use.entry))}</Link></dd></>}
        <dt>{t('field.items')}</dt><dd>{d.items.join('、')}</dd>
        <dt>{t('until')}</dt><dd>{date(r.toMs)}</dd>
        <dt>{t('maxUses')}</dt><dd>{r.maxUses || t('hint.unbounded')}</dd>
      </dl>
      {d.text && <details><summary>{t('ownerReads')}</summary><pre className="json" tabIndex={0}>{d.text}</pre></details>}
      {mine && opening && <div className="field"><strong>{t('forFile')}</strong><small className="second">{t('forFileText')}</small><Command text={JSON.stringify({ request: r.id, ...opening }, null, 2)} /></div>}
    </div>
  )
}
