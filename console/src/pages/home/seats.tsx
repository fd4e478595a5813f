// Seats: how people get in. In the demo every seat is one click away; on a member's own
// server a setup link gives one. The key is made here and never leaves this browser.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService, type Seat } from '@/gen/mulian/console/v1/query_pb'
import { AccountKind, KeyAlgorithm, KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { makeKey, makePasskey, passkeysHere } from '@/chain/keys'
import { rpc } from '@/chain/rpc'
import { sha256, utf8 } from '@/chain/bytes'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { tell } from '@/parts/toasts'
import { useWho } from '@/shell/who'

export default function Seats() {
  const { t } = useTranslation('home')
  const { here, all, signer, use } = useWho()
  const { t: shell } = useTranslation('shell')
  const { token = '' } = useParams({ strict: false }) as { token?: string }
  const navigate = useNavigate()
  const offered = useQuery({ queryKey: ['seats', token], queryFn: async () => (await rpc(ConsoleService).listSeats({ token })).seats })
  const methods = useQuery({ queryKey: ['passkeys'], queryFn: () => passkeysHere(here.rpIds), staleTime: Infinity })
  return (
    <>
      <div className="titles"><h1>{token ? t('setup') : t('seats')}</h1></div>
      <p className="second">{here.demo ? t('demo') : t('own')}</p>
      {all.length > 0 && (
        <section className="card" aria-label={t('mine')}>
          <header><h2>{t('mine')}</h2></header>
          <ul className="cards">
            {all.map((s) => (
              <li key={s.account} aria-current={s.account === signer?.account || undefined}>
                <button type="button" className="item" onClick={() => { use(s.account); void navigate({ to: '/' }) }}>
                  <span className="titles"><strong>{s.orgName || shell('person')} · {shell(`roles.${s.role}`)}</strong><span className="end pill grey">{shell(`method.${s.method}`)}</span></span>
                  <span className="meta mono">{s.account}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Loaded query={offered} rows={4}>
        {(seats) => seats.length === 0
          ? <div className="card"><Empty text={token ? t('usedUp') : t('none')} action={<Link to="/explorer">{t('look')}</Link>} /></div>
          : <ul className="seats">{seats.map((s) => <li key={s.id} className="card seat"><OneSeat seat={s} token={token} passkeys={methods.data ?? false} /></li>)}</ul>}
      </Loaded>
    </>
  )
}

function OneSeat({ seat, token, passkeys }: { seat: Seat; token: string; passkeys: boolean }) {
  const { t } = useTranslation('home')
  const { t: shell } = useTranslation('shell')
  const { here, add } = useWho()
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const person = seat.kind === AccountKind.PERSON || seat.kind === AccountKind.FIRM
  if (person) {
    return (
      <>
        <h2>{t(`seat.${seat.id}.title`)}</h2>
        <p className="second">{t(`seat.${seat.id}.text`)}</p>
        <p className="actions"><Button type="primary" href="/box" data-seat={seat.id}>{t('toBox')}</Button></p>
      </>
    )
  }
  const take = async (passkey: boolean) => {
    setBusy(true)
    setError(undefined)
    try {
      const key = passkey ? await makePasskey(`${seat.orgName} · ${shell(`roles.${seat.id}`)}`) : await makeKey()
      const res = await rpc(ConsoleService).takeSeat({
        seat: seat.id, token,
        key: {
          id: key.keyId, publicKey: key.point, level: KeyLevel.OFFICER,
          algorithm: passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256,
          ...(passkey && { passkey: { rpIdHash: await sha256(utf8(key.rpId!)), backupEligible: key.backupEligible } }),
        },
      })
      await add({ ...key, account: res.account, org: seat.org, orgName: seat.orgName, role: seat.id, chain: here.chainId, addedMs: Date.now() })
      tell({ text: t('taken', { height: String(res.height) }) })
      void navigate({ to: '/' })
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <h2>{t(`seat.${seat.id}.title`)}</h2>
      <p><strong>{seat.orgName}</strong></p>
      <p className="second">{t(`seat.${seat.id}.text`)}</p>
      <p className="actions">
        <Button type="primary" loading={busy} onClick={() => void take(passkeys)} data-seat={seat.id}>{passkeys ? t('takePasskey') : t('takeKey')}</Button>
        {passkeys && <Button type="link" disabled={busy} onClick={() => void take(false)}>{t('takeKeyInstead')}</Button>}
      </p>
      {error instanceof DOMException ? <p className="note red" role="alert">{t('device', { why: error.message })}</p> : error !== undefined && <Trouble error={error} />}
    </>
  )
}
