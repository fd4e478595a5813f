// The desk of an identity authority: who has lost all keys brings a new device here; who has lost one
// calls; and all recoveries, those that wait for this desk first.
import { QrcodeOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Input } from 'antd'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { AccountSchema, type Key, KeyState } from '@/gen/mulian/identity/v1/identity_pb'
import { RecoveryService } from '@/gen/mulian/recovery/v1/query_pb'
import { type Recovery, RecoveryPath, RecoveryState as S } from '@/gen/mulian/recovery/v1/recovery_pb'
import { account as accountKey } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { keyOf, type NewcomerKey, numberOf, read } from '../../box/newkey'
import { accountIn, textOf } from '../case/scan'
import { readObject } from '../catalogue/reads'
import { listRecoveries, MAX_CAUSE, useDesk } from './desk'
import { live, may } from './rights'
import { Seen } from './seen'

/** tones of the states of a recovery. */
export const tones = { [S.UNSPECIFIED]: 'grey', [S.OPEN]: 'blue', [S.LOCKED]: 'amber', [S.REVIEW]: 'red', [S.EXECUTED]: 'green', [S.VETOED]: 'grey', [S.CANCELLED]: 'grey', [S.EXPIRED]: 'grey' } as const

export default function Recoveries() {
  const { t } = useTranslation('recovery')
  const { t: shell } = useTranslation('shell')
  const desk = useDesk()
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <p className="second">{t('text')}</p>
      {desk.why && <p className="note amber">{t(`why.${desk.why}`)} {desk.why === 'nobody' && <Link to="/seats">{shell('signIn')}</Link>}</p>}
      {desk.desk && <Begin />}
      {desk.desk && <Loss />}
      <List desk={desk.desk} />
    </>
  )
}

/** Begin takes the code of the new device: the link, or a picture of it. */
function Begin() {
  const { t } = useTranslation('recovery')
  const [text, setText] = useState('')
  const [found, setFound] = useState<NewcomerKey>()
  const [why, setWhy] = useState('')
  const file = useRef<HTMLInputElement>(null)
  const take = async (code: string): Promise<void> => {
    setText(code)
    setWhy('')
    const key = code.trim() ? await read(code) : undefined
    setFound(key && key.possession.length > 0 ? key : undefined)
    if (code.trim() && !key) setWhy(t('noCode'))
    else if (key && key.possession.length === 0) setWhy(t('noPossession'))
  }
  return (
    <section className="card" aria-labelledby="begin"><header><h2 id="begin">{t('begin')}</h2></header><div className="body sheet">
      <p>{t('beginHow')}</p>
      <div style={{ display: 'flex', gap: 8 }}>
        <Input id="r-code" className="mono" aria-label={t('code')} autoComplete="off" maxLength={4096} value={text} placeholder={t('code')} status={why ? 'error' : undefined} onChange={(e) => void take(e.target.value)} />
        <Button icon={<QrcodeOutlined />} onClick={() => file.current?.click()}>{t('picture')}</Button>
        <input ref={file} type="file" accept="image/*" capture="environment" hidden onChange={(e) => { const f = e.target.files?.[0]; e.target.value = ''; if (f) textOf(f).then(take, () => setWhy(t('noPicture'))) }} />
      </div>
      {why && <p className="note red" role="alert">{why}</p>}
      {found && <Newcomer key={found.id} k={found} done={() => { setText(''); setFound(undefined) }} />}
    </div></section>
  )
}

function Newcomer({ k, done }: { k: NewcomerKey; done: () => void }) {
  const { t } = useTranslation('recovery')
  const sign = useSign()
  const navigate = useNavigate()
  const { signer } = useWho()
  const desk = useDesk()
  const acc = useQuery(readObject(AccountSchema, accountKey(k.account)))
  const number = useQuery({ queryKey: ['recovery', 'number', k.id], queryFn: () => numberOf(k) })
  const standing = useQuery({ queryKey: ['recovery/recovery/', 'of', k.account], queryFn: () => rpc(RecoveryService).getRecoveryPolicy({ account: k.account }) })
  if (acc.isError) return <p className="note red" role="alert">{t('noAccount', { account: k.account })}</p>
  if (!acc.data || !standing.data) return null
  const running = standing.data.running[0]
  const same = running?.newKey?.id === k.id
  return (
    <div className="sheet" data-account={k.account}>
      <dl className="facts">
        <dt>{t('account')}</dt><dd className="mono">{k.account}</dd>
        <dt>{t('number')}</dt><dd className="mono" data-testid="number" style={{ fontSize: 22 }}>{number.data}</dd>
        <dt>{t('newKey')}</dt><dd>{t(k.passkey ? 'passkey' : 'browserKey')} <code>{k.id}</code></dd>
      </dl>
      <p>{t('compare')}</p>
      {running && !same && <p className="note red" role="alert">{t('other')} <Link to={pathOf(`recovery/recovery/${running.id}`)}>{t('openIt')}</Link></p>}
      {running && same && (may(running, signer?.account ?? '', desk.desk).vouch
        ? <p className="note amber">{t('secondDesk')} <Link to={pathOf(`recovery/recovery/${running.id}`)} data-testid="to-recovery">{t('openIt')}</Link></p>
        : <p className="note">{t('runs')} <Link to={pathOf(`recovery/recovery/${running.id}`)}>{t('openIt')}</Link></p>)}
      {!running && <Seen about={k.account} label={t('open')} sign={(c) => void (async () => {
        const ok = await sign({ title: t('open'), about: k.account, acts: [{ case: 'openRecovery', value: { account: k.account, path: RecoveryPath.COUNTER, newKey: await keyOf(k), possession: k.possession, evidence: c.evidence, face: c.face } }] })
        if (!ok || ok.code !== 0) return
        done()
        if (ok.ids[0]) void navigate({ to: pathOf(`recovery/recovery/${ok.ids[0]}`) })
      })()} />}
    </div>
  )
}

/** Loss: who has lost one key and has none at hand calls, or comes; the key then signs nothing but a veto. */
function Loss() {
  const { t } = useTranslation('recovery')
  const [text, setText] = useState('')
  const account = accountIn(text)
  return (
    <section className="card" aria-labelledby="loss"><header><h2 id="loss">{t('loss')}</h2></header><div className="body sheet">
      <p>{t('lossHow')}</p>
      <Input id="r-account" className="mono" aria-label={t('account')} autoComplete="off" maxLength={300} value={text} placeholder="p-…" onChange={(e) => setText(e.target.value)} />
      {text.trim() && !account && <p className="note red" role="alert">{t('wrongAccount')}</p>}
      {account && <Keys account={account} />}
    </div></section>
  )
}

function Keys({ account }: { account: string }) {
  const { t } = useTranslation('recovery')
  const sign = useSign()
  const [cause, setCause] = useState('')
  const query = useQuery(readObject(AccountSchema, accountKey(account)))
  const report = (k: Key, found: boolean): void => void sign({ title: t(found ? 'found' : 'report'), about: account, acts: [{ case: 'reportKey', value: { account, key: k.id, found, cause: cause.trim() } }] })
  return (
    <Loaded query={query} rows={2}>{(acc) => (
      <>
        <label className="field">{t('cause')}<Input id="r-cause" maxLength={MAX_CAUSE} value={cause} onChange={(e) => setCause(e.target.value)} /></label>
        <ul className="line">{acc.keys.filter((k) => k.state === KeyState.ACTIVE).map((k) => (
          <li key={k.id}><strong>{k.label || k.id}</strong> {k.lostMs > 0n && <State words={t('lostSince', { at: moment(k.lostMs) })} tone="red" />}
            <small><code>{k.id}</code> · {t('added', { at: moment(k.addedMs) })}</small>
            <Button size="small" danger={k.lostMs === 0n} onClick={() => report(k, k.lostMs > 0n)} data-testid="report">{t(k.lostMs > 0n ? 'found' : 'report')}</Button></li>
        ))}</ul>
      </>
    )}</Loaded>
  )
}

function List({ desk }: { desk: string }) {
  const { t } = useTranslation('recovery')
  const navigate = useNavigate()
  const { signer } = useWho()
  const [address, change] = useAddress({ show: 'all' })
  const query = useQuery({ queryKey: ['recovery/recovery/', 'list'], queryFn: listRecoveries })
  const groups: Record<string, (r: Recovery) => boolean> = {
    all: () => true, running: live, waits: (r) => { const m = may(r, signer?.account ?? '', desk); return m.vouch || m.review },
  }
  const columns: Column<Recovery>[] = [
    { id: 'account', title: t('account'), card: 'title', show: (r) => <span className="mono">{r.account}</span> },
    { id: 'path', title: t('path'), show: (r) => t(`paths.${RecoveryPath[r.path]}`) },
    { id: 'vouched', title: t('vouched'), show: (r) => t('vouchedOf', { n: r.approvals.length, of: r.needed }) },
    { id: 'opened', title: t('opened'), sort: (a, b) => Number(a.openedMs - b.openedMs), show: (r) => moment(r.openedMs) },
    { id: 'state', title: t('state'), sort: (a, b) => a.state - b.state, show: (r) => <State words={t(`states.${S[r.state]}`)} tone={tones[r.state]} /> },
    { id: 'due', title: t('due'), card: 'end', show: (r) => (live(r) && r.dueMs ? <Clock dueMs={r.dueMs} totalMs={Number(r.dueMs - (r.lockedMs || r.openedMs))} /> : moment(r.endedMs)) },
  ]
  return (
    <section aria-labelledby="all"><h2 id="all" style={{ margin: '16px 0 8px' }}>{t('list')}</h2>
      <Loaded query={query}>{(all) => (
        <>
          <nav className="figures tight" aria-label={t('list')}>
            {Object.entries(groups).map(([k, of]) => <button key={k} type="button" className="card figure" style={{ font: 'inherit', textAlign: 'left', cursor: 'pointer' }} aria-current={address.show === k} onClick={() => change({ show: k })}><span>{t(`group.${k}`)}</span><b>{all.filter(of).length}</b></button>)}
          </nav>
          <div className="card"><DataTable caption={t('list')} columns={columns} rows={all.filter(groups[address.show] ?? groups.all!)} rowId={(r) => r.id} onOpen={(r) => void navigate({ to: pathOf(`recovery/recovery/${r.id}`) })} whole empty={<Empty text={t('none')} />} /></div>
        </>
      )}</Loaded>
    </section>
  )
}
